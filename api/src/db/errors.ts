import { defineError, type BerthError } from '../errors.ts';

export const DatabaseTooNewError = defineError('database_too_new', 500, 'Database newer than the program');
export const DatabaseTooOldError = defineError('database_too_old', 500, 'Database older than the program');
export const DatabaseUnavailableError = defineError('database_unavailable', 503, 'Database unavailable', {
  retryAfterSeconds: 2,
});
export const DatabaseFullError = defineError('database_full', 507, 'Database full', { retryAfterSeconds: 10 });
export const TextInvalidError = defineError('text_invalid', 400, 'Text cannot be stored');

/**
 * SQLSTATEs of a server that is unreachable, starting, stopping, overloaded or cannot use its disk, and of the time
 * limits of postgres.ts
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const UNAVAILABLE_SQLSTATES = /^(08...|25P0[34]|53[023]..|55P03|57014|57P0[1-5]|58...)$/;
/** The primary has become a standby and refuses writes; a new connection may reach the new primary. */
const READ_ONLY_SQLSTATE = '25006';
const DISK_FULL_SQLSTATE = '53100';
/** PostgreSQL cannot store NUL characters. */
const CHARACTER_SQLSTATE = '22021';
/** The columns of an index add up to more than the 2,704 bytes that a row of it holds. */
const TOO_LONG_SQLSTATE = '54000';
const UNAVAILABLE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
]);
const UNAVAILABLE_SYSCALLS = new Set(['connect', 'getaddrinfo', 'read', 'write']);
/** Beginnings of messages that pg throws without a code. */
const CONNECTION_LOST_MESSAGES = [
  'Connection terminated',
  'Query read timeout',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Client has encountered a connection error',
  'Client was closed',
  'Cannot use a pool after calling end',
];
/** SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_CANTOPEN (https://sqlite.org/rescode.html). */
const UNAVAILABLE_SQLITE_CODES = new Set([5, 6, 10, 14]);
const SQLITE_FULL = 13;
/** The index of the write-ahead log cannot grow. */
const SQLITE_IOERR_SHMSIZE = 4874;

/** Converts a failed query's error to one for clients. @returns undefined for bugs of the program */
export function toDatabaseError(error: unknown): BerthError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', syscall = '', errcode = 0 } = error as NodeJS.ErrnoException & { errcode?: number };
  const sqliteCode = code === 'ERR_SQLITE_ERROR' ? errcode % 256 : 0;
  if (isDatabaseFull(error))
    return new DatabaseFullError(
      "The disk of the registry's database is full: its administrator must free some space.",
      { cause: error },
    );
  if (code === CHARACTER_SQLSTATE)
    return new TextInvalidError('The request contains a NUL character, which cannot be stored: remove it.', {
      cause: error,
    });
  if (code === TOO_LONG_SQLSTATE)
    return new TextInvalidError('A name in the request is too long for an index of the database: shorten it.', {
      cause: error,
    });
  const isUnavailable =
    UNAVAILABLE_SQLSTATES.test(code) ||
    code === READ_ONLY_SQLSTATE ||
    UNAVAILABLE_SQLITE_CODES.has(sqliteCode) ||
    (UNAVAILABLE_CODES.has(code) && UNAVAILABLE_SYSCALLS.has(syscall)) ||
    hasLostConnection(error);
  return isUnavailable
    ? new DatabaseUnavailableError('The registry cannot reach its database: try again in a moment.', {
        cause: error,
      })
    : undefined;
}

/** Whether a query failed because the disk, or the quota, of the database is full. */
export function isDatabaseFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode = 0 } = error as { code?: unknown; errcode?: number };
  if (code !== 'ERR_SQLITE_ERROR') return code === DISK_FULL_SQLSTATE;
  return errcode % 256 === SQLITE_FULL || errcode === SQLITE_IOERR_SHMSIZE;
}

/** Whether the PostgreSQL connection on which a query failed must not be reused. */
export function isConnectionLost(error: unknown): boolean {
  return (
    error instanceof Error && (hasLostConnection(error) || ('code' in error && error.code === READ_ONLY_SQLSTATE))
  );
}

function hasLostConnection({ message }: Error): boolean {
  return CONNECTION_LOST_MESSAGES.some((beginning) => message.startsWith(beginning));
}
