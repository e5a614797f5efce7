import { Type, type Static } from 'typebox';
import { PageQuerySchema } from '../schemas.ts';

export const AccountQuerySchema = Type.Object({ q: PageQuerySchema.properties.q }, { additionalProperties: false });

export const FoundAccountSchema = Type.Object({
  type: Type.Union([Type.Literal('user'), Type.Literal('organization')]),
  id: Type.String(),
  name: Type.String(),
  email: Type.Optional(Type.String({ description: 'Of a user' })),
  departments: Type.Optional(Type.Array(Type.Object({ id: Type.String(), name: Type.String() }), { description: 'Of an organisation' })),
});
export const FoundAccountsSchema = Type.Object({ results: Type.Array(FoundAccountSchema, { description: 'Organisations first, the best ten of each' }) });

export type FoundAccount = Static<typeof FoundAccountSchema>;
