// Trusted publishers: pipelines that exchange an identity token for an upload key that is valid for an hour.

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
import { choosePublisher, issuerOf, jobDetails, matchesJob, tokenName } from './operations.ts';
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
  /** Valid values of `allowedCategory`. */
  categories: readonly string[];
  /** PUBLIC_URL: the audience that identity tokens must have. */
  publicUrl: string;
  /** Limits refused tokens per address. */
  refusals: AttemptLimit;
}

export interface TrustedPublisherService {
  /** @throws trusted_publisher_invalid */
  create(actor: Actor, fields: NewPublisher): Promise<Publisher>;
  list(caller: Caller, page: { skip?: number; size?: number }): Promise<PublisherList>;
  /** Deletes a publisher and revokes its keys. @throws trusted_publisher_not_found */
  delete(actor: Actor, id: string): Promise<void>;
  /**
   * Issues a key for an identity token; each token is accepted once.
   * @throws identity_token_invalid, identity_token_used, publisher_not_trusted, issuer_unavailable, too_many_attempts
   */
  exchange(actor: Actor, exchange: Exchange): Promise<IssuedToken>;
  /** Deletes expired keys, and records of used tokens that have expired. */
  deleteExpired(): Promise<void>;
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

  async function identifyPublisher({ token, artefactId }: Exchange) {
    const issuer = readIssuer(token);
    const candidates = await publishers().listByIssuer(issuer);
    if (candidates.length === 0)
      throw new PublisherNotTrustedError(
        'No trusted publisher has the issuer of this identity token: ask a superadmin to add one.',
      );
    const checked = await check(token, issuer);
    const publisher = choosePublisher(
      candidates.filter((it) => matchesJob(it, checked.claims)),
      artefactId,
    );
    if (!publisher)
      throw new PublisherNotTrustedError(
        'No trusted publisher matches this job: compare its repository, workflow and environment with those that a ' +
          'superadmin has configured.',
      );
    return { ...checked, publisher };
  }

  async function issueKey(
    actor: Actor,
    { publisher, claims, digest, expiresAt: tokenExpiresAt }: Awaited<ReturnType<typeof identifyPublisher>>,
  ): Promise<IssuedToken> {
    return database.transaction(async (tx) => {
      const rows = publishers(tx);
      if (!(await rows.recordUse(publisher._id, new Date().toISOString())))
        throw new PublisherNotTrustedError(
          'The trusted publisher was removed in the meantime: ask a superadmin to add it again.',
        );
      if (!(await rows.recordTokenUse(digest, tokenExpiresAt)))
        throw new IdentityTokenUsedError(
          'This identity token was already used: request a new one from the pipeline, or use the key that was ' +
            'issued for it.',
        );
      const { id, key, shortId, expiresAt } = await tokens.create(tx, {
        publisherId: publisher._id,
        name: tokenName(publisher, claims),
        scopes: scopesOf(publisher),
        lifetimeSeconds: TOKEN_LIFETIME_SECONDS,
      });
      await appendAudit(tx, actor, {
        action: 'trusted-publisher.exchange',
        targetType: 'trusted-publisher',
        targetId: publisher._id,
        details: { apiKeyId: id, shortId, expiresAt, ...jobDetails(claims) },
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
          ? [{ path: '/issuer', message: 'must be an https URL without credentials, query or fragment' }]
          : []),
        ...(fields.allowedCategory !== undefined && !categories.includes(fields.allowedCategory)
          ? [{ path: '/allowedCategory', message: `must be one of ${categories.join(', ')}` }]
          : []),
      ];
      if (issuer === undefined || errors.length > 0)
        throw new PublisherFieldsError('The trusted publisher cannot be created from these fields: see errors.', {
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
          throw new PublisherNotFoundError('No trusted publisher has this ID: it may have been removed.');
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
        return await issueKey(actor, await identifyPublisher(exchange));
      } catch (error) {
        if (
          error instanceof IdentityTokenInvalidError ||
          error instanceof IdentityTokenUsedError ||
          error instanceof PublisherNotTrustedError
        )
          await refusals.countFailure(networkOf(actor.ip));
        throw error;
      }
    },

    async deleteExpired() {
      await publishers().deleteExpiredTokens(CLOCK_TOLERANCE_SECONDS * 2000);
      await tokens.deleteExpired(database.db);
    },
  };
}
