// An HTTP answer whose body is read once: as chunks, as JSON, as text, or not at all.

import { readDigestHeaders } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { SilenceWatch } from './silence.ts';

export interface AnswerContext {
  watch: SilenceWatch;
  signal: AbortSignal | undefined;
  artefactId: string | undefined;
  /**
   * Headers of the redirect that led to another origin: its validators are the registry's, the storage has its own.
   */
  redirect: Headers | undefined;
}

export class Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The registry's validator of what the body is a part of. */
  readonly etag: string | undefined;
  /** The registry's digest of what the body is a part of. */
  readonly digest: string | undefined;
  readonly #response: Response;
  readonly #context: AnswerContext;

  constructor(response: Response, context: AnswerContext) {
    this.status = response.status;
    this.headers = response.headers;
    const validators = context.redirect ?? response.headers;
    this.etag = validators.get('etag') ?? undefined;
    this.digest = readDigestHeaders(validators) ?? readDigestHeaders(response.headers);
    this.#response = response;
    this.#context = context;
    if (response.body === null) context.watch.end();
  }

  /** Reads the body chunk by chunk. @throws RegistryError `body_cut` when it ends early or falls silent */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    const { watch, signal, artefactId } = this.#context;
    try {
      for await (const chunk of this.#response.body ?? []) {
        watch.rest();
        yield chunk;
        watch.listen();
      }
    } catch (cause) {
      signal?.throwIfAborted();
      throw new RegistryError('the answer of the registry was cut short', {
        status: 0,
        code: 'body_cut',
        artefactId,
        cause,
      });
    } finally {
      watch.end();
    }
  }

  async text(): Promise<string> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of this.chunks()) text += decoder.decode(chunk, { stream: true });
    return text + decoder.decode();
  }

  /** Parses the body. @throws RegistryError `bad_answer` when it is no JSON object */
  async json(): Promise<Record<string, unknown>> {
    const text = await this.text();
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw this.unusable('is no JSON document');
  }

  /** Makes the error of an answer that has the right status and the wrong content. */
  unusable(reason: string): RegistryError {
    return new RegistryError(`the answer (${this.status}) ${reason}; is registryUrl the URL of a registry?`, {
      status: this.status,
      code: 'bad_answer',
      artefactId: this.#context.artefactId,
    });
  }

  /** Gives the body up unread. */
  async discard(): Promise<void> {
    this.#context.watch.end();
    await this.#response.body?.cancel();
  }
}
