import { defineError, type BerthError } from '../errors.ts';

export const DatabaseTooNewError = defineError('database_too_new', 500, 'Database newer than the program');
export const DatabaseTooOldError = defineError('database_too_old', 500, 'Database older than the program');
export const DatabaseUnavailableError = defineError('database_unavailable', 503, 'Database unavailable');
export const DatabaseFullError = defineError('database_full', 507, 'Database full');
export const TextInvalidError = defineError('text_invalid', 400, 'Text that cannot be stored');

/**
 * SQLSTATEs of a server that is away, starting, stopping or overloaded, and of the time limits of postgres.ts
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const AWAY_SQLSTATES = /^(08...|25P0[34]|53[023]..|55P03|57014|57P0[1-5])$/;
/** A primary that became a standby refuses to write; a new connection may find the new primary. */
const READ_ONLY_SQLSTATE = '25006';
const DISK_FULL_SQLSTATE = '53100';
/** PostgreSQL stores no NUL character. */
const CHARACTER_SQLSTATE = '22021';
const AWAY_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
]);
const AWAY_SYSCALLS = new Set(['connect', 'getaddrinfo', 'read', 'write']);
/** pg gives these without a code. */
const AWAY_MESSAGES =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end)/;
/** SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_CANTOPEN (https://sqlite.org/rescode.html). */
const AWAY_SQLITE = new Set([5, 6, 10, 14]);
const SQLITE_FULL = 13;

/** Tells a client what a failing query means, or returns undefined when it is a fault of the program. */
export function toDatabaseError(error: unknown): BerthError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = '', syscall = '', errcode = 0 } = error as NodeJS.ErrnoException & { errcode?: number };
  const sqliteCode = code === 'ERR_SQLITE_ERROR' ? errcode % 256 : 0;
  if (code === DISK_FULL_SQLSTATE || sqliteCode === SQLITE_FULL) {
    return new DatabaseFullError("The disk of the registry's database is full: its administrator must make room.", {
      cause: error,
    });
  }
  if (code === CHARACTER_SQLSTATE)
    return new TextInvalidError('The request holds a NUL character, which cannot be stored or looked up.', {
      cause: error,
    });
  const away =
    AWAY_SQLSTATES.test(code) ||
    code === READ_ONLY_SQLSTATE ||
    AWAY_SQLITE.has(sqliteCode) ||
    (AWAY_CODES.has(code) && AWAY_SYSCALLS.has(syscall)) ||
    AWAY_MESSAGES.test(error.message);
  return away
    ? new DatabaseUnavailableError('The registry cannot reach its database: try again in a moment.', {
        cause: error,
        headers: { 'retry-after': '2' },
      })
    : undefined;
}

/** Whether the connection on which a query of PostgreSQL failed is of no use any more. */
export function isConnectionLost(error: unknown): boolean {
  return (
    error instanceof Error &&
    (AWAY_MESSAGES.test(error.message) || ('code' in error && error.code === READ_ONLY_SQLSTATE))
  );
}
