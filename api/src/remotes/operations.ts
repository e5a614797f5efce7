// Pure functions for remote registries: URL normalisation, schedules, retry delays.

import { createHash } from 'node:crypto';
import { Cron } from 'croner';
import { quote } from '../errors.ts';
import { RemoteUrlInvalidError, ScheduleInvalidError } from './errors.ts';
import type { ArtefactResult, SyncRequest } from './remote.ts';

const SHORT_ID = /^reg_[^_]+(?=_)/;
const SHORT_ID_LENGTH = 12;
const DAY_MINUTES = 24 * 60;
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 6 * 3_600_000;

/**
 * Normalises the base URL of a registry: no trailing slash, no default port, host in lower case.
 * @throws remote_url_invalid if it is not http(s), or has credentials, a query or a fragment
 */
export function normaliseUrl(text: string): string {
  const url = URL.parse(text);
  if (
    !url ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== ''
  ) {
    throw new RemoteUrlInvalidError(
      'Use an http or https URL without user name, password, query or fragment, such as ' +
        'https://registry.example.org or https://example.org/registry.',
    );
  }
  return url.href.replace(/\/+$/, '');
}

/** Returns the part of a key that may be shown. */
export function shortIdOf(apiKey: string): string {
  return SHORT_ID.exec(apiKey)?.[0] ?? apiKey.slice(0, SHORT_ID_LENGTH);
}

/** Returns a daily schedule at a time derived from the id, so that installations do not all ask at the same moment. */
export function defaultSchedule(remoteId: string): string {
  const minute = createHash('sha256').update(remoteId).digest().readUInt32BE() % DAY_MINUTES;
  return `${minute % 60} ${Math.floor(minute / 60)} * * *`;
}

/** @throws schedule_invalid */
export function assertSchedule(schedule: string): void {
  if (nextRun(schedule) === undefined)
    throw new ScheduleInvalidError(
      `The schedule ${quote(schedule)} is not valid: it must be null, or a cron expression in UTC that has a next ` +
        'date, such as "30 3 * * *" for every day at 3:30.',
    );
}

/** Returns the next date of a schedule after `after`; undefined if it has none or is invalid. */
export function nextRun(schedule: string, after = new Date()): Date | undefined {
  try {
    return new Cron(schedule, { timezone: 'UTC', mode: '5-part', paused: true }).nextRun(after) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Returns the next date of a schedule from now, in ISO 8601; null for none. */
export function nextFullAt(schedule: string | null | undefined): string | null {
  return typeof schedule === 'string' ? (nextRun(schedule)?.toISOString() ?? null) : null;
}

/**
 * Returns the retry back-off of an artefact after its nth failure: a minute, doubled each time up to six hours, with
 * 20 % jitter.
 */
export function retryDelayMs(attempts: number, chance = Math.random()): number {
  return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1)) * (0.8 + 0.4 * chance);
}

/** Returns the request of one run that does what both ask for: all artefacts, unless both ask for failed ones only. */
export function mergeRequests(waiting: SyncRequest | undefined, added: SyncRequest): SyncRequest {
  if (!waiting) return added;
  return {
    ...(waiting.onlyFailed && added.onlyFailed && { onlyFailed: true }),
    ...((waiting.verify ?? added.verify) && { verify: true }),
    ...((waiting.confirmed ?? added.confirmed) && { confirmed: true }),
  };
}

/** Number of artefacts that an error of a run names. */
export const NAMED_FAILURES = 3;
const MAX_REASON_LENGTH = 300;

/**
 * Names failed artefacts in one line: `@acme/a@1: reason; @acme/b@1: reason; and 7 more.`
 * @param first at most NAMED_FAILURES of them
 * @param count of all
 */
export function describeFailures(
  first: readonly Pick<ArtefactResult, 'artefactId' | 'reason'>[],
  count: number,
): string {
  const named = first.map(({ artefactId, reason = '' }) => `${artefactId}: ${shorten(reason).replace(/\.$/, '')}`);
  return `${[...named, ...(count > first.length ? [`and ${count - first.length} more`] : [])].join('; ')}.`;
}

function shorten(text: string): string {
  return text.length > MAX_REASON_LENGTH ? `${text.slice(0, MAX_REASON_LENGTH)}…` : text;
}

/** Returns whether more than half is gone, so that a superadmin has to confirm the run. */
export function hasShrunk(before: number, now: number): boolean {
  return before > 1 && now < before / 2;
}
