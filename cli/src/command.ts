export interface Command {
  /** One line for `berth --help`. */
  summary: string;
  /** Such as `Usage: berth pull <id> [--dir <path>]`. */
  usage: string;
  /** What `berth <command> --help` says below the usage. */
  description: string;
  /** @throws UsageError for parameters that it does not understand */
  run(parameters: string[]): Promise<void>;
}

/** A command line that is not understood; the message is one clause, without a full stop. */
export class UsageError extends Error { override readonly name = 'UsageError'; }
