// Who may publish without a key, and the key for an hour that such a pipeline gets for its identity token.

import { randomUUID } from 'node:crypto';
import { CLOCK_TOLERANCE_SECONDS, enforce, policy, type Actor, type Caller } from '../access/index.ts';
import { scopesOf, type UploadTokens } from '../api-keys/index.ts';
import { networkOf, type AttemptLimit } from '../attempts/index.ts';
import { appendAudit } from '../audit/index.ts';
import type { Database } from '../db/index.ts';
import {
  IdentityTokenInvalidError,
  IdentityTokenUsedError,
  PublisherFieldsError,
  PublisherNotFoundError,
  PublisherNotTrustedError,
} from './errors.ts';
import { choose, isJobOf, issuerOf, jobOf, nameOf } from './operations.ts';
import { publisherRepository } from './repository.ts';
import {
  TOKEN_LIFETIME_SECONDS,
  type Exchange,
  type IssuedToken,
  type NewPublisher,
  type Publisher,
  type PublisherList,
} from './schemas.ts';
import { createTokenCheck, readIssuer } from './token-check.ts';

export interface TrustedPublisherOptions {
  database: Database;
  tokens: UploadTokens;
  /** What `allowedCategory` may be. */
  categories: readonly string[];
  /** PUBLIC_URL: identity tokens must be made for it. */
  publicUrl: string;
  /** Counts tokens that are refused, by address. */
  refusals: AttemptLimit;
}

export interface TrustedPublisherService {
  /** @throws trusted_publisher_invalid */
  create(actor: Actor, fields: NewPublisher): Promise<Publisher>;
  list(caller: Caller, page: { skip?: number; size?: number }): Promise<PublisherList>;
  /** Ends the keys that it got, too. @throws trusted_publisher_not_found */
  delete(actor: Actor, id: string): Promise<void>;
  /**
   * Gives a pipeline a key for its identity token, once.
   * @throws identity_token_invalid, identity_token_used, publisher_not_trusted, issuer_unavailable, too_many_attempts
   */
  exchange(actor: Actor, exchange: Exchange): Promise<IssuedToken>;
  /** Removes what has ended. */
  forget(): Promise<void>;
}

const MAX_PAGE_SIZE = 1000;

export function createTrustedPublisherService({
  database,
  tokens,
  categories,
  publicUrl,
  refusals,
}: TrustedPublisherOptions): TrustedPublisherService {
  const audience = publicUrl.replace(/\/$/, '');
  const check = createTokenCheck({ audience });
  const publishers = (executor = database.db) => publisherRepository(executor, database.dialect);

  async function recognise({ token, artefactId }: Exchange) {
    const issuer = readIssuer(token);
    const trusted = await publishers().listOf(issuer);
    if (trusted.length === 0)
      throw new PublisherNotTrustedError(
        'No trusted publisher of this registry has the issuer of this identity token: let a superadmin add one.',
      );
    const checked = await check(token, issuer);
    const publisher = choose(
      trusted.filter((it) => isJobOf(it, checked.claims)),
      artefactId,
    );
    if (!publisher)
      throw new PublisherNotTrustedError(
        'No trusted publisher of this registry is this job: compare its repository, workflow and environment ' +
          'with those that a superadmin has set.',
      );
    return { ...checked, publisher };
  }

  async function issue(
    actor: Actor,
    { publisher, claims, digest, endsAt }: Awaited<ReturnType<typeof recognise>>,
  ): Promise<IssuedToken> {
    return database.transaction(async (tx) => {
      const rows = publishers(tx);
      if (!(await rows.use(publisher._id, new Date().toISOString())))
        throw new PublisherNotTrustedError('The trusted publisher was removed just now.');
      if (!(await rows.useToken(digest, endsAt)))
        throw new IdentityTokenUsedError(
          'This identity token was used before: ask the pipeline for a new one, or go on with the key that ' +
            'it brought.',
        );
      const { id, key, shortId, expiresAt } = await tokens.make(tx, {
        publisherId: publisher._id,
        name: nameOf(publisher, claims),
        scopes: scopesOf(publisher),
        lifetimeSeconds: TOKEN_LIFETIME_SECONDS,
      });
      await appendAudit(tx, actor, {
        action: 'trusted-publisher.exchange',
        targetType: 'trusted-publisher',
        targetId: publisher._id,
        details: { apiKeyId: id, shortId, expiresAt, ...jobOf(claims) },
      });
      return { key, expiresAt, publisher: { _id: publisher._id, name: publisher.name } };
    });
  }

  return {
    async create(actor, fields) {
      enforce(policy.manageTrustedPublishers(actor.caller));
      const issuer = issuerOf(fields);
      const errors = [
        ...(issuer === undefined
          ? [{ path: '/issuer', message: 'must be an https URL without credentials, query and fragment' }]
          : []),
        ...(fields.allowedCategory !== undefined && !categories.includes(fields.allowedCategory)
          ? [{ path: '/allowedCategory', message: `must be one of ${categories.join(', ')}` }]
          : []),
      ];
      if (issuer === undefined || errors.length > 0)
        throw new PublisherFieldsError('A trusted publisher cannot be made from these fields: see errors.', {
          errors,
        });
      const { caller } = actor;
      const publisher: Publisher = {
        _id: randomUUID(),
        ...fields,
        issuer,
        createdAt: new Date().toISOString(),
        ...(caller.kind === 'user' && { createdBy: { userId: caller.user.id, userName: caller.user.name } }),
      };
      await database.transaction(async (tx) => {
        await publishers(tx).insert(publisher);
        await appendAudit(tx, actor, {
          action: 'trusted-publisher.create',
          targetType: 'trusted-publisher',
          targetId: publisher._id,
          details: { ...fields, issuer },
        });
      });
      return publisher;
    },

    list(caller, { skip = 0, size = MAX_PAGE_SIZE }) {
      enforce(policy.manageTrustedPublishers(caller));
      return publishers().list({ skip, size: Math.min(size, MAX_PAGE_SIZE) });
    },

    async delete(actor, id) {
      enforce(policy.manageTrustedPublishers(actor.caller));
      await database.transaction(async (tx) => {
        const publisher = await publishers(tx).delete(id);
        if (!publisher)
          throw new PublisherNotFoundError(
            'There is no trusted publisher with this id: it may have been removed already.',
          );
        await tokens.deleteOf(tx, id);
        await appendAudit(tx, actor, {
          action: 'trusted-publisher.delete',
          targetType: 'trusted-publisher',
          targetId: id,
          details: { name: publisher.name, repository: publisher.repository },
        });
      });
    },

    async exchange(actor, exchange) {
      try {
        return await issue(actor, await recognise(exchange));
      } catch (error) {
        if (
          error instanceof IdentityTokenInvalidError ||
          error instanceof IdentityTokenUsedError ||
          error instanceof PublisherNotTrustedError
        )
          await refusals.count(networkOf(actor.ip));
        throw error;
      }
    },

    async forget() {
      await publishers().forgetTokens(CLOCK_TOLERANCE_SECONDS * 2000);
      await tokens.deleteEnded(database.db);
    },
  };
}
