import { defineError } from '../errors.ts';

export const DatabaseTooNewError = defineError('database_too_new', 500, 'Database newer than the program');
export const DatabaseUnavailableError = defineError('database_unavailable', 503, 'Database unavailable');

/** SQLSTATE classes of a server that is away, starting, stopping or full (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const AWAY_SQLSTATES = /^(08...|53...|57P0[1-4])$/;
const AWAY_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'ETIMEDOUT']);
/** pg gives these without a code. */
const AWAY_MESSAGES = /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** Tells whether an error of a query means that PostgreSQL cannot be reached right now. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined && AWAY_SQLSTATES.test(code)) return true;
  if (code !== undefined && AWAY_CODES.has(code) && (syscall === 'connect' || syscall === 'getaddrinfo' || syscall === 'read' || syscall === 'write')) return true;
  return AWAY_MESSAGES.test(error.message);
}
