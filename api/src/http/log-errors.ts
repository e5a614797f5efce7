// How errors appear in the log. While a part is unavailable, every request fails for the same reason: the log has its
// stack once a minute, so that the other lines can be found.

/** An error whose stack the log has had lately. */
class WithoutStack {
  readonly error: Error;
  constructor(error: Error) {
    this.error = error;
  }
}

/** Returns what to log as `err`. Errors of the same kind have the same stack, as far as it matters. */
export type StackLimit = (error: unknown, kind?: string) => unknown;

const INTERVAL_MS = 60_000;
/** Beyond it, all are forgotten: so many kinds are no outage. */
const MAX_KINDS = 200;

/** @param now current time in milliseconds */
export function createStackLimit(now: () => number = () => performance.now()): StackLimit {
  const loggedAt = new Map<string, number>();
  return (error, kind) => {
    if (!(error instanceof Error)) return error;
    const key = kind ?? error.stack ?? error.message;
    if (now() - (loggedAt.get(key) ?? -Infinity) < INTERVAL_MS) return new WithoutStack(error);
    if (loggedAt.size >= MAX_KINDS) loggedAt.clear();
    loggedAt.set(key, now());
    return error;
  };
}

// A type, since Fastify asks for an index signature.
export type LoggedError = {
  type: string;
  message: string;
  stack: string;
  code?: string;
  cause?: string;
};

/** Serialises messages, stacks and causes; never other fields, which may contain secrets. */
export function describeError(logged: Error | WithoutStack): LoggedError {
  const error = logged instanceof WithoutStack ? logged.error : logged;
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const summary = { type: error.name, message: error.message, ...code };
  if (logged instanceof WithoutStack) return { ...summary, stack: '(in an earlier line)' };
  const cause = error.cause instanceof Error ? { cause: error.cause.stack ?? error.cause.message } : {};
  return { ...summary, stack: error.stack ?? '', ...cause };
}
