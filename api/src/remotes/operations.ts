// The rules of remote registries, as pure functions: their URLs, when they are compared.

import { createHash } from 'node:crypto';
import { Cron } from 'croner';
import { RemoteUrlInvalidError, ScheduleInvalidError } from './errors.ts';

const SHORT_ID = /^reg_[^_]+(?=_)/;
const SHORT_ID_LENGTH = 12;
const DAY_MINUTES = 24 * 60;
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 6 * 3_600_000;

/**
 * Normalises the base URL of a registry: no slash at its end, no default port, host in lower case.
 * @throws remote_url_invalid for what is not http(s), carries credentials, a query or a fragment
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
      'The URL of a registry is like https://registry.example.org or https://example.org/registry: http or ' +
        'https, and no user name, password, query or fragment.',
    );
  }
  return url.href.replace(/\/+$/, '');
}

/** The part of a key that may be shown. */
export function shortIdOf(apiKey: string): string {
  return SHORT_ID.exec(apiKey)?.[0] ?? apiKey.slice(0, SHORT_ID_LENGTH);
}

/** Once a day, at a time spread by the registry's id, so that many installations do not ask it at the same moment. */
export function defaultSchedule(remoteId: string): string {
  const minute = createHash('sha256').update(remoteId).digest().readUInt32BE() % DAY_MINUTES;
  return `${minute % 60} ${Math.floor(minute / 60)} * * *`;
}

/** @throws schedule_invalid */
export function assertSchedule(schedule: string): void {
  if (nextRun(schedule) === undefined)
    throw new ScheduleInvalidError(
      'A schedule is a cron expression in UTC that comes round again, such as "30 3 * * *" for every day at ' +
        '3:30, or null.',
    );
}

/** When a schedule comes round next after a date, which defaults to now; undefined for what is no schedule. */
export function nextRun(schedule: string, after = new Date()): Date | undefined {
  try {
    return new Cron(schedule, { timezone: 'UTC', mode: '5-part', paused: true }).nextRun(after) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * How long an artefact that failed for the nth time rests: a minute, doubled each time up to six hours, give or take a
 * fifth.
 */
export function retryDelayMs(attempts: number, chance = Math.random()): number {
  return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1)) * (0.8 + 0.4 * chance);
}

/** Tells whether a list lost so much that nothing is to be done without somebody who looks at it: more than half. */
export function hasShrunk(before: number, now: number): boolean {
  return before > 1 && now < before / 2;
}
