/**
 * What is wrong with an archive:
 *
 * - `damaged`: it is no tar, or not a whole one
 * - `truncated`: it ends too early
 * - `ambiguous`: programs would read it differently
 * - `unsupported`: it is sound and uses what nobody here reads
 */
export type TarErrorCode = 'damaged' | 'truncated' | 'ambiguous' | 'unsupported';

/** An archive that is refused; whoever reads it turns this into an error of its own. */
export class TarError extends Error {
  override readonly name = 'TarError';
  readonly code: TarErrorCode;
  /** A clause to go on with; it follows the entry's name where there is one. */
  readonly reason: string;
  /** As the archive has it, control characters included. */
  readonly entryPath: string | undefined;

  constructor(code: TarErrorCode, reason: string, entryPath?: string) {
    super(entryPath === undefined ? reason : `${JSON.stringify(entryPath)} ${reason}`);
    this.code = code;
    this.reason = reason;
    this.entryPath = entryPath;
  }
}
