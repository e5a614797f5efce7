// What stops a start from outside: a port, a folder, a database, a bucket. A wrong setting is config.ts's own to
// refuse.

import { toDatabaseError } from './db/index.ts';
import { BerthError } from './errors.ts';

interface Settings {
  PORT: number;
  HOST: string;
  METRICS_PORT?: number;
  DATA_DIR: string;
  DATABASE_URL?: string;
  ADMIN_EMAIL: string;
  FILES_STORAGE: string;
  S3_ENDPOINT?: string;
  S3_REGION: string;
  S3_BUCKET?: string;
  S3_ACCESS_KEY_ID?: string;
}
type StartError = NodeJS.ErrnoException & { errcode?: number; port?: number; hostname?: string };

/**
 * Refused logins, missing databases and missing rights
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const POSTGRES_REFUSALS = /^(28...|3D000|42501)$/;
/** Read-only, corrupt, not a database (https://sqlite.org/rescode.html). */
const SQLITE_FILE_TROUBLES = new Set([8, 11, 26]);
const FILE_TROUBLES: Record<string, string> = {
  EACCES: 'is not allowed to write there',
  EPERM: 'is not allowed to write there',
  EROFS: 'finds a read-only file system there',
  ENOSPC: 'finds the disk full',
  ENOTDIR: 'finds a file where a folder should be',
  EEXIST: 'finds a file where a folder should be',
};

/**
 * Says in one sentence which setting leads to what is in the way of a start.
 * @returns undefined for anything else, which is a fault of the program
 */
export function explainStartFailure(error: unknown, settings: Settings): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof BerthError) {
    if (error.code === 'email_invalid')
      return `ADMIN_EMAIL holds ${settings.ADMIN_EMAIL}, which is no e-mail address.`;
    return error.code === 'storage_unavailable' && settings.FILES_STORAGE === 's3'
      ? explainS3(error.cause, settings)
      : undefined;
  }
  const { code = '', syscall, errcode = 0, port, hostname } = error as StartError;
  if (syscall === 'getaddrinfo' && hostname === settings.HOST)
    return `HOST holds ${settings.HOST}, which is no address of this machine.`;
  if (syscall === 'listen') return explainListening(code, port ?? settings.PORT, settings);
  const isRefused =
    POSTGRES_REFUSALS.test(code) || (code === 'ERR_SQLITE_ERROR' && SQLITE_FILE_TROUBLES.has(errcode % 256));
  if (isRefused || toDatabaseError(error)) {
    const database =
      settings.DATABASE_URL === undefined
        ? `DATA_DIR holds ${settings.DATA_DIR}, whose database berth.db`
        : 'DATABASE_URL names a database that';
    return `${database} cannot be used: ${firstLine(error.message) || code}.`;
  }
  return FILE_TROUBLES[code] && `DATA_DIR holds ${settings.DATA_DIR}, but Berth ${FILE_TROUBLES[code]}.`;
}

/** The names are S3's own (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). */
function explainS3(
  cause: unknown,
  { S3_ENDPOINT, S3_REGION, S3_BUCKET = '', S3_ACCESS_KEY_ID = '' }: Settings,
): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  switch (cause.name) {
    case 'NoSuchBucket':
      return `S3_BUCKET holds ${S3_BUCKET}, which does not exist: create it, or choose another one.`;
    case 'InvalidAccessKeyId':
      return `S3_ACCESS_KEY_ID holds ${S3_ACCESS_KEY_ID}, which the S3 server does not know.`;
    case 'SignatureDoesNotMatch':
      return (
        'S3_SECRET_ACCESS_KEY holds a value (not shown) that is not the secret of S3_ACCESS_KEY_ID ' +
        `(${S3_ACCESS_KEY_ID}).`
      );
    case 'AccessDenied':
      return (
        `S3_ACCESS_KEY_ID holds ${S3_ACCESS_KEY_ID}, which may not write, read and delete in the ` +
        `bucket ${S3_BUCKET}.`
      );
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
      return `S3_REGION holds ${S3_REGION}, which is not where the bucket ${S3_BUCKET} is.`;
    default: {
      const server =
        S3_ENDPOINT === undefined
          ? `S3_REGION holds ${S3_REGION}, whose S3 server`
          : `S3_ENDPOINT holds ${S3_ENDPOINT}, where the S3 server`;
      return (
        `${server} cannot be ` +
        `used: ${cause.name === 'AbortError' ? 'no answer in time' : firstLine(cause.message) || cause.name}.`
      );
    }
  }
}

function explainListening(code: string, port: number, { HOST, METRICS_PORT }: Settings): string | undefined {
  const name = port === METRICS_PORT ? 'METRICS_PORT' : 'PORT';
  switch (code) {
    case 'EADDRINUSE':
      return (
        `${name} holds ${port}, which another program on ${HOST} has taken: stop that one, or choose ` +
        `another port, such as ${name}=${port + 1}.`
      );
    case 'EACCES':
      return (
        `${name} holds ${port}, which only an administrator may use: choose one from 1024 on, such ` +
        `as ${name}=8080.`
      );
    case 'EADDRNOTAVAIL':
      return `HOST holds ${HOST}, which is no address of this machine.`;
    default:
      return undefined;
  }
}

const firstLine = (text: string) => text.split('\n', 1)[0]?.trim().replace(/[.:]$/, '') ?? '';
