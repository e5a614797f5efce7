// Tells of keys that expire soon: by mail to the administrators, to a webhook, and in an event.

import { SYSTEM_ACTOR } from '../access/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import type { Job } from '../jobs/index.ts';
import type { Mailer } from '../mail/index.ts';
import { traceHeaders } from '../tracing/index.ts';
import { apiKeyRepository } from './repository.ts';
import type { ApiKey } from './schemas.ts';

export interface ExpiryNoticeOptions {
  database: Database;
  /** KEY_EXPIRY_NOTICE_DAYS. */
  daysBefore: number;
  publicUrl: string;
  /** KEY_EXPIRY_WEBHOOK_URL. */
  webhookUrl?: string | undefined;
  mailer?: Mailer | undefined;
  /** Returns the mail addresses to notify. */
  recipients: () => Promise<string[]>;
}

const DAY_MS = 86_400_000;
const EVERY_MS = 3_600_000;
/** Keys per run; the next run takes the rest. */
const MAX_KEYS = 500;
const WEBHOOK_TIMEOUT_MS = 10_000;

/**
 * Creates the job; undefined if neither mail nor a webhook is configured. Each key is announced once, and again after
 * its expiry changes. A notice that cannot be delivered fails the run; the retry may deliver the others twice.
 */
export function createExpiryNotices({
  database,
  daysBefore,
  publicUrl,
  webhookUrl,
  mailer,
  recipients,
}: ExpiryNoticeOptions): Job<never, number> | undefined {
  if (!mailer && webhookUrl === undefined) return undefined;
  const rows = apiKeyRepository(database.db);
  return {
    name: 'api-keys.announce-expiry',
    everyMs: EVERY_MS,
    async run({ signal }) {
      const now = new Date();
      const keys = await rows.listExpiring('expiry_announced_at', soon(now, daysBefore));
      const to = mailer && keys.length > 0 ? await recipients() : [];
      // Without a recipient the keys stay unannounced, so that a later run can announce them.
      if (keys.length === 0 || (webhookUrl === undefined && to.length === 0)) return 0;
      if (webhookUrl !== undefined) for (const key of keys) await post(webhookUrl, key, publicUrl, signal);
      if (mailer && to.length > 0)
        await mailer.send({
          to,
          subject: keys.length === 1 ? 'An API key expires soon' : `${keys.length} API keys expire soon`,
          text: noticeText(keys, publicUrl),
        });
      await rows.markAnnounced(
        keys.map(({ _id }) => _id),
        now.toISOString(),
      );
      return keys.length;
    },
  };
}

/** Creates the job that records an event for each key that expires soon: once, and again after its expiry changes. */
export function createExpiryEvents({
  database,
  daysBefore,
}: Pick<ExpiryNoticeOptions, 'database' | 'daysBefore'>): Job<never, number> {
  return {
    name: 'api-keys.record-expiry',
    everyMs: EVERY_MS,
    async run() {
      const now = new Date();
      const keys = await apiKeyRepository(database.db).listExpiring('expiry_recorded_at', soon(now, daysBefore));
      for (const key of keys) await database.transaction((tx) => recordExpiry(tx, key, now));
      return keys.length;
    },
  };
}

async function recordExpiry(tx: Tx, key: ApiKey, now: Date): Promise<void> {
  const { _id: id, type, name, shortId, expiresAt = '' } = key;
  if (!(await apiKeyRepository(tx).markRecorded(key, now.toISOString()))) return;
  await recordChange(tx, SYSTEM_ACTOR, {
    action: 'api-key.expiring',
    targetType: 'api-key',
    targetId: id,
    details: { type, name, shortId, expiresAt },
    events: [{ type: 'key.expiring', subject: id, data: { type, name, shortId, expiresAt } }],
  });
}

function soon(now: Date, days: number) {
  const before = new Date(now.getTime() + days * DAY_MS).toISOString();
  return { after: now.toISOString(), before, limit: MAX_KEYS };
}

async function post(url: string, key: ApiKey, registry: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(WEBHOOK_TIMEOUT_MS)]),
    headers: { 'content-type': 'application/json', ...traceHeaders() },
    body: JSON.stringify({ event: 'api-key.expiring', registry, key }),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`KEY_EXPIRY_WEBHOOK_URL answered ${response.status}.`);
}

function noticeText(keys: readonly ApiKey[], publicUrl: string): string {
  const lines = keys.map(
    ({ name, shortId, type, expiresAt, owner }) =>
      `- ${name} (${shortId}, ${type} key${owner ? ` of ${owner.name ?? owner.id}` : ''}) on ${expiresAt ?? ''}`,
  );
  return (
    `These API keys of the registry at ${publicUrl} expire soon. Clients that use them will then be ` +
    `refused:\n\n${lines.join('\n')}\n\nTo replace a key, call POST /api/v1/api-keys/<id>/rotate with a new ` +
    `expiresAt; the old key stays valid for another day.\n`
  );
}
