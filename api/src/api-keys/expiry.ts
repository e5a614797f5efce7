// Sends expiry notices for API keys: by mail to whoever runs the registry, and to a webhook.

import type { Database } from '../db/index.ts';
import type { Job } from '../jobs/index.ts';
import type { Mailer } from '../mail/index.ts';
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
  /** Whom mail goes to. */
  recipients: () => Promise<string[]>;
}

const DAY_MS = 86_400_000;
const EVERY_MS = 3_600_000;
/** Of one run; the rest comes with the next one. */
const MAX_KEYS = 500;
const WEBHOOK_TIMEOUT_MS = 10_000;

/**
 * Makes the job; undefined where there is nobody to tell. Each key is announced once, and once more after it was given
 * another end. A notice that cannot be delivered fails the run, which is tried again; whoever got it already may get
 * it twice then. /
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
      // Whoever is to be told later shall be.
      if (keys.length === 0 || (webhookUrl === undefined && to.length === 0)) return 0;
      if (webhookUrl !== undefined) for (const key of keys) await post(webhookUrl, key, publicUrl, signal);
      if (mailer && to.length > 0)
        await mailer.send({
          to,
          subject: keys.length === 1 ? 'An API key ends soon' : `${keys.length} API keys end soon`,
          text: textOf(keys, publicUrl),
        });
      await rows.noteAnnounced(
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
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event: 'api-key.expiring', registry, key }),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`KEY_EXPIRY_WEBHOOK_URL answered ${response.status}.`);
}

function textOf(keys: readonly ApiKey[], publicUrl: string): string {
  const lines = keys.map(
    ({ name, shortId, type, expiresAt, owner }) =>
      `- ${name} (${shortId}, ${type} key${owner ? ` of ${owner.name ?? owner.id}` : ''}) on ${expiresAt ?? ''}`,
  );
  return (
    `These API keys of the registry at ${publicUrl} end soon. What uses them is refused from then ` +
    `on:\n\n${lines.join('\n')}\n\nReplace one with POST /api/v1/api-keys/<id>/rotate and another expiresAt; the ` +
    `old key holds for a day besides.\n`
  );
}
