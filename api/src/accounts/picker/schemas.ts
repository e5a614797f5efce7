import { Type, type Static } from 'typebox';
import { PageQuerySchema } from '../schemas.ts';

export const AccountQuerySchema = Type.Object({ q: PageQuerySchema.properties.q }, { additionalProperties: false });

export const FoundAccountSchema = Type.Object({
  type: Type.Union([Type.Literal('user'), Type.Literal('organization')]),
  id: Type.String(),
  name: Type.String(),
  email: Type.Optional(Type.String({ description: 'Users only' })),
  emailVerified: Type.Optional(
    Type.Boolean({ description: 'Users of this registry only: false if nobody has proved to own the address' }),
  ),
  departments: Type.Optional(
    Type.Array(Type.Object({ id: Type.String(), name: Type.String() }), { description: 'Organisations only' }),
  ),
});
/** Limit of users and of organisations in a result. */
export const MAX_RESULTS_PER_KIND = 10;

export const FoundAccountsSchema = Type.Object({
  results: Type.Array(FoundAccountSchema, {
    description: `Organisations first, at most ${MAX_RESULTS_PER_KIND} of each kind`,
  }),
});

export type FoundAccount = Static<typeof FoundAccountSchema>;

/**
 * Finds accounts by words of their names.
 * @param cookie Cookie header of the request, which the identity service requires
 */
export type FindAccounts = (q: string, cookie: string | undefined) => Promise<FoundAccount[]>;
