import { Type, type Static } from 'typebox';
import { PageQuerySchema } from '../schemas.ts';

export const AccountQuerySchema = Type.Object({ q: PageQuerySchema.properties.q }, { additionalProperties: false });

export const FoundAccountSchema = Type.Object({
  type: Type.Union([Type.Literal('user'), Type.Literal('organization')]),
  id: Type.String(),
  name: Type.String(),
  email: Type.Optional(Type.String({ description: 'Of a user' })),
  departments: Type.Optional(
    Type.Array(Type.Object({ id: Type.String(), name: Type.String() }), { description: 'Of an organisation' }),
  ),
});
/** Accounts of each kind that a search brings. */
export const MOST_FOUND = 10;

export const FoundAccountsSchema = Type.Object({
  results: Type.Array(FoundAccountSchema, { description: `Organisations first, at most ${MOST_FOUND} of each kind` }),
});

export type FoundAccount = Static<typeof FoundAccountSchema>;

/**
 * Finds accounts by words of their names, for whoever picks one.
 * @param cookie of the session, which an identity service asks for
 */
export type FindAccounts = (q: string, cookie: string | undefined) => Promise<FoundAccount[]>;
