// Every failure that a client may see is a class made here; each slice lists its own in its errors.ts.
// Rendering them as problem documents lives in http/problem.ts.

export interface FieldError {
  path: string;
  message: string;
}

export interface BerthErrorOptions {
  /** Fields that failed, for a form to point at. */
  errors?: FieldError[];
  /** Response headers that belong to this failure, such as `retry-after`. */
  headers?: Record<string, string>;
  cause?: unknown;
}

/** A failure that a client is told about: `status`, a stable `code` and a `detail` that says what to do. */
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
}

const defined = new Map<string, BerthErrorClass>();

/**
 * Makes the class of one failure.
 *
 * @param code stable machine code, snake case, unique in the program: `artefact_not_found`
 * @param status HTTP status, 400 to 599
 * @param title the same short sentence every time; what is particular goes into the instance's detail
 * @throws Error when the code is already taken
 */
export function defineError(code: string, status: number, title: string): BerthErrorClass {
  if (defined.has(code)) throw new Error(`the error code ${code} is defined twice`);
  const errorClass = class extends BerthError {
    static readonly code = code;
    static readonly status = status;
    static readonly title = title;
    override readonly name = code;

    constructor(detail: string, options?: BerthErrorOptions) {
      super(code, status, title, detail, options);
    }
  };
  defined.set(code, errorClass);
  return errorClass;
}

/** Lists every error class that has been imported so far, by code. */
export function definedErrors(): ReadonlyMap<string, BerthErrorClass> {
  return defined;
}

/** What of an error can be told another thread, where classes do not survive. */
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

/** Makes the error anew: of its class, where that has been imported. */
export function errorOf({ message, code, status, title }: ErrorDescription): Error {
  const ErrorClass = defined.get(code ?? '');
  if (ErrorClass) return new ErrorClass(message);
  if (code !== undefined && status !== undefined && title !== undefined)
    return new BerthError(code, status, title, message);
  return Object.assign(new Error(message), code !== undefined && { code });
}
