// Errors of this library, besides the TypeError of an invalid option.

/** A part of the request that the registry refused. */
export interface FieldError {
  /** JSON pointer into the body: `/title/fr`. */
  path: string;
  message: string;
}

export interface RegistryErrorDetails {
  status: number;
  code: string;
  artefactId?: string | undefined;
  errors?: readonly FieldError[] | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/**
 * A request that the registry refused, or that got no usable response.
 *
 * `code` is the registry's own (`artefact_not_found`, `key_scope`, …), `http_<status>` if it sent none, or one of this
 * library's: `unreachable`, `body_cut`, `bad_answer`, `digest_mismatch`, `redirect_refused`, `slot_not_found`,
 * `wrong_format`.
 */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  /** HTTP status of the response; 0 if there was none: connection refused, timeout, incomplete body. */
  readonly status: number;
  readonly code: string;
  readonly artefactId: string | undefined;
  /** The parts of the request that were refused; empty if the registry named none. */
  readonly errors: readonly FieldError[];
  /** The registry's `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: RegistryErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = details.status;
    this.code = details.code;
    this.artefactId = details.artefactId;
    this.errors = details.errors ?? [];
    this.retryAfterMs = details.retryAfterMs;
  }
}

export type ArchiveErrorCode = 'archive_damaged' | 'archive_unsafe' | 'archive_too_large';

/**
 * A tarball that cannot be unpacked (`archive_damaged`), that would write or point outside (`archive_unsafe`), or that
 * unpacks to more than the limits allow (`archive_too_large`).
 */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  readonly code: ArchiveErrorCode;

  constructor(code: ArchiveErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type BuildErrorCode =
  'rebuild_failed' | 'addon_unloadable' | 'headers_missing' | 'npm_missing' | 'build_timeout';

/**
 * Native modules that could not be built: `npm rebuild` failed (`rebuild_failed`), an add-on cannot be loaded
 * (`addon_unloadable`), the headers of the running Node or npm itself are missing (`headers_missing`, `npm_missing`),
 * or the build did not finish in time (`build_timeout`).
 */
export class BuildError extends Error {
  override readonly name = 'BuildError';
  readonly code: BuildErrorCode;
  readonly artefactId: string;
  /** The last 256 KiB of the build's standard error. It contains no secrets, since the build runs without any. */
  readonly stderr: string;

  constructor(code: BuildErrorCode, message: string, { artefactId, stderr }: { artefactId: string; stderr: string }) {
    super(message);
    this.code = code;
    this.artefactId = artefactId;
    this.stderr = stderr;
  }
}

/** Tells whether the registry could not be reached at all: the only failure that `allowStale` covers. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'unreachable';
}

/** Tells whether an error is a failed system call with one of these codes (`ENOENT`, …). */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
