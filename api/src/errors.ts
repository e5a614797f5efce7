// defineError: creates a class for every failure that clients see. Each slice lists its own in its errors.ts;
// http/problem.ts renders them as problem documents. quote is for their messages, withCleanUp
// keeps the first of two errors.

const MAX_QUOTED_LENGTH = 100;

/** Quotes what a client has sent, for a message: at most 100 characters, on one line, without invisible ones. */
export function quote(text: string): string {
  const shown = text.slice(0, MAX_QUOTED_LENGTH).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '');
  return `"${shown}${text.length > MAX_QUOTED_LENGTH ? '…' : ''}"`;
}

export interface FieldError {
  path: string;
  message: string;
}

export interface BerthErrorOptions {
  /** The invalid fields, so that a form can mark them. */
  errors?: FieldError[];
  /** Additional response headers, such as `retry-after`. */
  headers?: Record<string, string>;
  cause?: unknown;
}

/** A failure that clients see: an HTTP status, a stable code, and a message that says what to do. */
export class BerthError extends Error {
  override readonly name: string = 'BerthError';
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly errors: FieldError[] | undefined;
  readonly headers: Record<string, string> | undefined;

  constructor(code: string, status: number, title: string, detail: string, options: BerthErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = status;
    this.title = title;
    this.errors = options.errors;
    this.headers = options.headers;
  }
}

export interface BerthErrorClass {
  new (detail: string, options?: BerthErrorOptions): BerthError;
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly retryAfterSeconds: number | undefined;
}

const defined = new Map<string, BerthErrorClass>();

/**
 * Creates the class of one kind of failure.
 *
 * @param code stable machine-readable code in snake case, unique in the program: `artefact_not_found`
 * @param status HTTP status, 400 to 599
 * @param title short and constant; the specifics go into the instance's detail
 * @param retryAfterSeconds when the same request may succeed; sent as `Retry-After` unless an instance has its own
 * @throws Error if the code is already defined
 */
export function defineError(
  code: string,
  status: number,
  title: string,
  { retryAfterSeconds }: { retryAfterSeconds?: number } = {},
): BerthErrorClass {
  if (defined.has(code)) throw new Error(`the error code ${code} is defined twice`);
  const errorClass = class extends BerthError {
    static readonly code = code;
    static readonly status = status;
    static readonly title = title;
    static readonly retryAfterSeconds = retryAfterSeconds;
    override readonly name = code;

    constructor(detail: string, options: BerthErrorOptions = {}) {
      const headers = retryAfterSeconds !== undefined && { 'retry-after': `${retryAfterSeconds}` };
      super(
        code,
        status,
        title,
        detail,
        headers ? { ...options, headers: { ...headers, ...options.headers } } : options,
      );
    }
  };
  defined.set(code, errorClass);
  return errorClass;
}

/** Lists every error class that has been imported so far, by code. */
export function definedErrors(): ReadonlyMap<string, BerthErrorClass> {
  return defined;
}

/** An error in a form that can be posted to another thread: structured cloning loses classes. */
export interface ErrorDescription {
  message: string;
  code: string | undefined;
  status?: number;
  title?: string;
}

export function describeError(error: unknown): ErrorDescription {
  if (error instanceof BerthError)
    return { message: error.message, code: error.code, status: error.status, title: error.title };
  if (!(error instanceof Error)) return { message: String(error), code: undefined };
  const { code } = error as { code?: unknown };
  return { message: error.message, code: typeof code === 'string' ? code : undefined };
}

/** Recreates the error; as an instance of its class if that has been imported. */
export function errorOf({ message, code, status, title }: ErrorDescription): Error {
  const ErrorClass = defined.get(code ?? '');
  if (ErrorClass) return new ErrorClass(message);
  if (code !== undefined && status !== undefined && title !== undefined)
    return new BerthError(code, status, title, message);
  return Object.assign(new Error(message), code !== undefined && { code });
}

/**
 * Runs work, then its clean-up, whether or not the work fails. If both fail, throws the error of the work: in
 * `finally` or `catch`, that of the clean-up would replace it, and hide the cause from clients and the log.
 */
export async function withCleanUp<T>(work: () => Promise<T>, cleanUp: () => Promise<unknown>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await cleanUp().catch(() => undefined);
    throw error;
  }
  await cleanUp();
  return result;
}
