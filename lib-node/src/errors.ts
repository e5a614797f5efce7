// The errors that callers of this library meet, beside the TypeError of a wrong option.

export interface RegistryErrorDetails {
  status: number;
  code: string;
  artefactId?: string | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/**
 * A request that the registry refused, or that never got an answer worth having.
 *
 * `code` is the registry's own (`artefact_not_found`, `key_scope`, …), `http_<status>` where it gave none, or one of
 * this library's: `unreachable`, `body_cut`, `bad_answer`, `digest_mismatch`, `redirect_refused`, `slot_not_found`,
 * `wrong_format`. /
 */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  /** HTTP status of the answer; 0 when there was none: connection refused, time-out, body cut short. */
  readonly status: number;
  readonly code: string;
  readonly artefactId: string | undefined;
  /** What the registry asked to wait for (`Retry-After`), in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: RegistryErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = details.status;
    this.code = details.code;
    this.artefactId = details.artefactId;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export type ArchiveErrorCode = 'archive_damaged' | 'archive_unsafe';

/** A tarball that cannot be unpacked (`archive_damaged`) or that would write or point outside (`archive_unsafe`). */
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
 * Native modules that could not be built: `npm rebuild` failed (`rebuild_failed`), what it built cannot be loaded
 * (`addon_unloadable`), the headers of the running Node or npm itself are not there (`headers_missing`,
 * `npm_missing`), or it has not ended (`build_timeout`). /
 */
export class BuildError extends Error {
  override readonly name = 'BuildError';
  readonly code: BuildErrorCode;
  readonly artefactId: string;
  /**
   * What the build has written to its standard error, the last 256 KiB of it. It ran without secrets, so there are
   * none in it.
   */
  readonly stderr: string;

  constructor(code: BuildErrorCode, message: string, { artefactId, stderr }: { artefactId: string; stderr: string }) {
    super(message);
    this.code = code;
    this.artefactId = artefactId;
    this.stderr = stderr;
  }
}

/** Tells whether no registry answered at all: the one failure that `allowStale` covers. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'unreachable';
}

/** Tells a failed system call by its code (`ENOENT`, …). */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
