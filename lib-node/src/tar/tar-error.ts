/**
 * What is wrong with an archive:
 *
 * - `damaged`: it is not a valid tar archive
 * - `truncated`: it ends too early
 * - `ambiguous`: programs would read it differently
 * - `unsupported`: it is valid, but uses a feature that this reader does not support
 */
export type TarErrorCode = 'damaged' | 'truncated' | 'ambiguous' | 'unsupported';

/** An archive that is refused. Callers turn it into an error of their own. */
export class TarError extends Error {
  override readonly name = 'TarError';
  readonly code: TarErrorCode;
  /** A clause; with `entryPath`, its predicate. */
  readonly reason: string;
  /** Raw path, which may contain control characters. */
  readonly entryPath: string | undefined;

  constructor(code: TarErrorCode, reason: string, entryPath?: string) {
    super(entryPath === undefined ? reason : `${JSON.stringify(entryPath)} ${reason}`);
    this.code = code;
    this.reason = reason;
    this.entryPath = entryPath;
  }
}
