// Trusted publishers: pipelines that exchange an identity token for an upload key that is valid for an hour.

import { randomUUID } from 'node:crypto';
import { changeAs, CLOCK_TOLERANCE_SECONDS, enforce, policy, type Actor, type Caller } from '../access/index.ts';
import { scopesOf, scopeWarnings, type UploadTokens } from '../api-keys/index.ts';
import { networkOf, type AttemptLimit } from '../attempts/index.ts';
import type { Database } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import { MAX_PAGE_SIZE } from '../http/index.ts';
import {
  IdentityTokenInvalidError,
  IdentityTokenUsedError,
  PublisherNotFoundError,
  PublisherNotTrustedError,
} from './errors.ts';
import { checkFields } from './new-publisher.ts';
import { choosePublisher, differences, isLoose, jobDetails, readJob, tokenName } from './operations.ts';
import { explainMismatch, explainUnknownIssuer } from './refusal.ts';
import { publisherRepository } from './repository.ts';
import {
  TOKEN_LIFETIME_SECONDS,
  type CreatedPublisher,
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
  create(actor: Actor, fields: NewPublisher): Promise<CreatedPublisher>;
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
    if (candidates.length === 0) throw new PublisherNotTrustedError(explainUnknownIssuer(issuer));
    const checked = await check(token, issuer);
    const publisher = choosePublisher(
      candidates.filter((it) => differences(it, readJob(it.provider, checked.claims)).length === 0),
      artefactId,
    );
    if (!publisher) throw new PublisherNotTrustedError(explainMismatch(candidates, checked.claims));
    return { ...checked, publisher, repositoryId: readJob(publisher.provider, checked.claims).repositoryId };
  }

  async function issueKey(actor: Actor, job: Awaited<ReturnType<typeof identifyPublisher>>): Promise<IssuedToken> {
    const { publisher, repositoryId, claims } = job;
    return changeAs(database, actor, policy.exchangeIdentityToken, async (tx, current) => {
      const rows = publishers(tx);
      const target = { targetType: 'trusted-publisher', targetId: publisher._id } as const;
      const isUnknown = publisher.repositoryId === undefined && repositoryId !== undefined;
      if (isUnknown && (await rows.setRepositoryId(publisher._id, repositoryId)))
        await recordChange(tx, current, { action: 'trusted-publisher.update', ...target, details: { repositoryId } });
      if (!(await rows.recordUse(publisher._id, { at: new Date().toISOString(), repositoryId })))
        throw new PublisherNotTrustedError(
          'The trusted publisher was removed in the meantime, or another repository of this name used it first: run ' +
            'the job again to see which.',
        );
      if (!(await rows.recordTokenUse(job.digest, job.expiresAt)))
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
      await recordChange(tx, current, {
        action: 'trusted-publisher.exchange',
        ...target,
        details: { apiKeyId: id, shortId, expiresAt, ...jobDetails(claims) },
      });
      return { key, expiresAt, publisher: { _id: publisher._id, name: publisher.name } };
    });
  }

  return {
    async create(actor, fields) {
      enforce(policy.manageTrustedPublishers(actor.caller));
      const checked = checkFields(fields, categories);
      return changeAs(database, actor, policy.manageTrustedPublishers, async (tx, current) => {
        const { caller } = current;
        const publisher: Publisher = {
          _id: randomUUID(),
          ...checked,
          createdAt: new Date().toISOString(),
          ...(caller.kind === 'user' && { createdBy: { userId: caller.user.id, userName: caller.user.name } }),
        };
        await publishers(tx).insert(publisher);
        await recordChange(tx, current, {
          action: 'trusted-publisher.create',
          targetType: 'trusted-publisher',
          targetId: publisher._id,
          details: checked,
        });
        return { ...publisher, ...scopeWarnings(publisher) };
      });
    },

    async list(caller, { skip = 0, size = MAX_PAGE_SIZE }) {
      enforce(policy.manageTrustedPublishers(caller));
      const { results, count } = await publishers().list({ skip, size });
      return { results: results.map((it) => (isLoose(it) ? { ...it, loose: true } : it)), count };
    },

    async delete(actor, id) {
      await changeAs(database, actor, policy.manageTrustedPublishers, async (tx, current) => {
        const publisher = await publishers(tx).delete(id);
        if (!publisher)
          throw new PublisherNotFoundError('No trusted publisher has this ID: it may have been removed.');
        await tokens.deleteOf(tx, id);
        await recordChange(tx, current, {
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
          await refusals.count(networkOf(actor.ip));
        throw error;
      }
    },

    async deleteExpired() {
      await publishers().deleteExpiredTokens(CLOCK_TOLERANCE_SECONDS * 2000);
      await tokens.deleteExpired(database.db);
    },
  };
}
