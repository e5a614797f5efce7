import { Type, type Static } from 'typebox';
import { AccountSchema } from '../../access/index.ts';

/** An access grant on the wire. */
export const GrantSchema = Type.Object(
  {
    _id: Type.String(),
    account: AccountSchema,
    grantedBy: Type.Union(
      [Type.Object({ userId: Type.String(), userName: Type.String() }), Type.Object({ internal: Type.Literal(true) })],
      { description: 'The superadmin, or an internal service' },
    ),
    grantedAt: Type.String({ format: 'date-time' }),
  },
  { title: 'AccessGrant' },
);

export type Grant = Static<typeof GrantSchema>;

export const NewGrantSchema = Type.Object({ account: AccountSchema }, { additionalProperties: false });
