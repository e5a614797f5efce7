// A response of the registry, whose body is read once: as chunks, as JSON, as text, or not at all.

import { readDigestHeaders } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { IdleTimeout } from './idle-timeout.ts';

const MIB = 1024 * 1024;
/** The largest document of a registry has some 200 KiB. */
export const MAX_DOCUMENT_BYTES = 16 * MIB;

export interface ResponseContext {
  idleTimeout: IdleTimeout;
  signal: AbortSignal | undefined;
  artefactId: string | undefined;
  /** Headers of the redirect to another origin, if any. They have the registry's validators; a storage has its own. */
  redirect: Headers | undefined;
}

/** Tells whether a redirect says which bytes it leads to; if not, those of the storage count. */
export function hasValidators(headers: Headers): boolean {
  return headers.has('etag') || headers.has('last-modified');
}

export class RegistryResponse {
  readonly status: number;
  readonly headers: Headers;
  /** The registry's validator of the whole representation. */
  readonly etag: string | undefined;
  /** The registry's digest of the whole representation. */
  readonly digest: string | undefined;
  /** The registry's date of the whole representation. */
  readonly lastModified: string | undefined;
  readonly #response: Response;
  readonly #context: ResponseContext;

  constructor(response: Response, context: ResponseContext) {
    this.status = response.status;
    this.headers = response.headers;
    const { redirect } = context;
    const validators = redirect !== undefined && hasValidators(redirect) ? redirect : response.headers;
    this.etag = validators.get('etag') ?? undefined;
    this.lastModified = validators.get('last-modified') ?? undefined;
    this.digest = readDigestHeaders(validators) ?? readDigestHeaders(response.headers);
    this.#response = response;
    this.#context = context;
    if (response.body === null) context.idleTimeout.stop();
  }

  /** Reads the body chunk by chunk. @throws RegistryError `body_cut` if it ends early or the idle timeout expires */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    const { idleTimeout, signal, artefactId } = this.#context;
    try {
      for await (const chunk of this.#response.body ?? []) {
        idleTimeout.pause();
        yield chunk;
        idleTimeout.restart();
      }
    } catch (cause) {
      signal?.throwIfAborted();
      throw new RegistryError('the response of the registry ended early', {
        status: 0,
        code: 'body_cut',
        artefactId,
        cause,
      });
    } finally {
      idleTimeout.stop();
    }
  }

  /** Reads the body, up to about `maxBytes`; cancels the rest. */
  async text(maxBytes: number): Promise<string> {
    const decoder = new TextDecoder();
    let text = '';
    let sizeBytes = 0;
    for await (const chunk of this.chunks()) {
      text += decoder.decode(chunk, { stream: true });
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) break;
    }
    return text + decoder.decode();
  }

  /** Parses the body. @throws RegistryError `bad_answer` if it is not a JSON object of at most `maxBytes` */
  async json(maxBytes = MAX_DOCUMENT_BYTES): Promise<Record<string, unknown>> {
    const text = await this.text(maxBytes);
    if (Buffer.byteLength(text) > maxBytes) throw this.unusable(`is larger than ${maxBytes / MIB} MiB`);
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw this.unusable('is not a JSON object');
  }

  /** Makes the error of a successful response with the wrong content; `problem` completes "the response …". */
  unusable(problem: string): RegistryError {
    return new RegistryError(`the response (${this.status}) ${problem}; is registryUrl the URL of a registry?`, {
      status: this.status,
      code: 'bad_answer',
      artefactId: this.#context.artefactId,
    });
  }

  /** Cancels the body unread. */
  async discard(): Promise<void> {
    this.#context.idleTimeout.stop();
    await this.#response.body?.cancel();
  }
}
