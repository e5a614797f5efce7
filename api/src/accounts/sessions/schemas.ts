import { Type, type Static } from 'typebox';
import { AccountSchema } from '../../access/index.ts';

const RoleSchema = Type.Union([Type.Literal('admin'), Type.Literal('member')], { description: 'Whether the user administers the account' });

/** An account that the user may choose, with what a picker shows. */
const ChoiceSchema = Type.Object({ ...AccountSchema.properties, departmentName: Type.Optional(Type.String()), role: RoleSchema });

/** Who is asking, whichever way he came in. */
export const SessionSchema = Type.Object({
  kind: Type.Union([Type.Literal('anonymous'), Type.Literal('internal'), Type.Literal('upload-key'), Type.Literal('read-key'), Type.Literal('user')]),
  user: Type.Optional(Type.Object({ id: Type.String(), name: Type.String(), email: Type.String() })),
  account: Type.Optional(AccountSchema),
  accountRole: Type.Optional(RoleSchema),
  accounts: Type.Optional(Type.Array(ChoiceSchema, { description: 'What the user may act for' })),
  isAdmin: Type.Boolean({ description: 'Superadmin' }),
  hasGrant: Type.Boolean({ description: 'Whether the account may download what it sees' }),
}, { title: 'Session' });

export type Session = Static<typeof SessionSchema>;
