// Sends expiry notices for API keys: by mail to the administrators and to a webhook.

import type { Database } from '../db/index.ts';
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
      const keys = await rows.listExpiring(
        now.toISOString(),
        new Date(now.getTime() + daysBefore * DAY_MS).toISOString(),
        MAX_KEYS,
      );
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
