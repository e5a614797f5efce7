// Explains start failures whose cause is outside of the program: a port, a folder, a database, a bucket.
// config/read-config.ts rejects invalid settings.

import { relative } from 'node:path';
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
 * Authentication failures, missing databases and missing privileges
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const POSTGRES_REFUSALS = /^(28...|3D000|42501)$/;
/** SQLITE_READONLY, SQLITE_CORRUPT, SQLITE_NOTADB (https://sqlite.org/rescode.html). */
const SQLITE_FILE_ERRORS = new Set([8, 11, 26]);
const FILE_ERRORS: Record<string, string> = {
  EACCES: 'Berth has no permission to write there: give the folder to the user who runs it',
  EPERM: 'Berth has no permission to write there: give the folder to the user who runs it',
  EROFS: 'the file system is read-only: mount it for writing, or choose another folder',
  ENOSPC: 'the disk is full: free some space, or choose another folder',
  ENOTDIR: 'a file is in the place of a folder: move the file away, or choose another folder',
  EEXIST: 'a file is in the place of a folder: move the file away, or choose another folder',
  ENAMETOOLONG: 'that path is too long: choose a shorter one',
  ELOOP: 'its symbolic links form a loop: choose another folder',
};

/**
 * Explains in one sentence which setting leads to the failure of a start.
 * @returns undefined for any other error, which is a bug of the program
 */
export function explainStartFailure(error: unknown, settings: Settings): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof BerthError) {
    if (error.code === 'email_invalid')
      return `ADMIN_EMAIL is ${settings.ADMIN_EMAIL}, which is not a valid e-mail address.`;
    return error.code === 'storage_unavailable' && settings.FILES_STORAGE === 's3'
      ? explainS3(error.cause, settings)
      : undefined;
  }
  const { code = '', syscall, errcode = 0, port, hostname } = error as StartError;
  if (syscall === 'getaddrinfo' && hostname === settings.HOST)
    return `HOST is ${settings.HOST}, which is not an address of this machine.`;
  if (syscall === 'listen') return explainListening(code, port ?? settings.PORT, settings);
  const isRefused =
    isCertificateError(error, settings) ||
    POSTGRES_REFUSALS.test(code) ||
    (code === 'ERR_SQLITE_ERROR' && SQLITE_FILE_ERRORS.has(errcode % 256));
  if (isRefused || toDatabaseError(error)) {
    const database =
      settings.DATABASE_URL === undefined
        ? `DATA_DIR is ${settings.DATA_DIR}, but its database berth.db`
        : 'The database of DATABASE_URL';
    return `${database} cannot be used: ${firstLine(error.message) || code}.`;
  }
  const problem =
    code === 'ENOENT' && syscall === 'mkdir' ? 'Berth cannot create that folder: create it' : FILE_ERRORS[code];
  return problem && `DATA_DIR is ${settings.DATA_DIR}, but ${problem}.`;
}

/** Error names: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. */
function explainS3(
  cause: unknown,
  { S3_ENDPOINT, S3_REGION, S3_BUCKET = '', S3_ACCESS_KEY_ID }: Settings,
): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const key =
    S3_ACCESS_KEY_ID === undefined
      ? 'S3_ACCESS_KEY_ID is not set, so the environment gives the access key'
      : `S3_ACCESS_KEY_ID is ${S3_ACCESS_KEY_ID}`;
  switch (cause.name) {
    case 'S3CredentialsError':
      return (
        'S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are not set, and the environment gives no credentials ' +
        `(${firstLine(cause.message)}): set both, or give this container, service account or machine a role.`
      );
    case 'NoSuchBucket':
      return `S3_BUCKET is ${S3_BUCKET}, which does not exist: create it, or choose another bucket.`;
    case 'InvalidAccessKeyId':
      return `${key}, which the S3 server does not know.`;
    case 'SignatureDoesNotMatch':
      if (S3_ACCESS_KEY_ID === undefined) return `${key}, whose secret the S3 server refuses.`;
      return `S3_SECRET_ACCESS_KEY (not shown) is not the secret of S3_ACCESS_KEY_ID (${S3_ACCESS_KEY_ID}).`;
    case 'AccessDenied':
      return `${key}, which lacks permission to write, read and delete in the bucket ${S3_BUCKET}.`;
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
      return `S3_REGION is ${S3_REGION}, but the bucket ${S3_BUCKET} is in another region.`;
    default: {
      const server =
        S3_ENDPOINT === undefined ? `S3_REGION is ${S3_REGION}, but its` : `S3_ENDPOINT is ${S3_ENDPOINT}, but the`;
      const reason = cause.name === 'AbortError' ? 'no answer in time' : firstLine(cause.message) || cause.name;
      return `${server} S3 server cannot be used: ${reason}.`;
    }
  }
}

function explainListening(code: string, port: number, { HOST, METRICS_PORT }: Settings): string | undefined {
  const name = port === METRICS_PORT ? 'METRICS_PORT' : 'PORT';
  switch (code) {
    case 'EADDRINUSE':
      return (
        `${name} is ${port}, which another program on ${HOST} already uses: stop that program, or choose another ` +
        `port, such as ${name}=${port + 1}.`
      );
    case 'EACCES':
      return (
        `${name} is ${port}, which requires administrator rights: choose a port from 1024 on, such as ` +
        `${name}=8080.`
      );
    case 'EADDRNOTAVAIL':
      return `HOST is ${HOST}, which is not an address of this machine.`;
    default:
      return undefined;
  }
}

/** Whether a certificate or key that DATABASE_URL names cannot be read or used. */
function isCertificateError({ code = '', syscall = '', path }: StartError, settings: Settings): boolean {
  if (settings.DATABASE_URL === undefined) return false;
  const isForeignFile = path === undefined || relative(settings.DATA_DIR, path).startsWith('..');
  return code.startsWith('ERR_OSSL') || (/^(open|read)$/.test(syscall) && isForeignFile);
}

const firstLine = (text: string) => text.split('\n', 1)[0]?.trim().replace(/[.:]$/, '') ?? '';
