// One connection to another server, for one GET after the other. What comes lies in two pieces of memory that are used by turns: with
// nothing to allocate and to collect, receiving costs a fifth of what Node's own client takes (decision 22).

import { validateHeaderValue } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { Deadline } from './http-deadline.ts';
import { ResponseReader, type HttpHeaders, type ResponseHead } from './http-response.ts';

export interface HttpAnswer {
  status: number;
  headers: HttpHeaders;
  body: HttpBody;
}

/**
 * To be read to its end, once, or destroyed. The memory of a chunk is used again as soon as the next one is asked for.
 * Reading throws what the system says, HttpProtocolError, or an Error when the other side is silent or too slow.
 */
export interface HttpBody extends AsyncIterable<Uint8Array> {
  destroy(): void;
}

export interface HttpConnectionOptions {
  /** Within which the connection, then the head of an answer, and then 16 KiB of its body each have to be there. */
  timeoutMs: number;
  /** Told when the connection waits for the next GET. */
  onFree: () => void;
  /** Told when it is of no use any more. */
  onClosed: () => void;
}

/** The connection was closed while it waited, which is only seen when it is used: another one may do better. */
export class ConnectionStaleError extends Error { override readonly name = 'ConnectionStaleError'; }

/** What came is not HTTP, or more than there may be of anything but a body: to ask again is of no use. */
export class HttpProtocolError extends Error { override readonly name = 'HttpProtocolError'; }

const RECEIVE_BYTES = 256 * 1024;
/** What is received ahead of its reader: in two pieces of memory, or in copies of the 16 KiB that TLS hands out, with which it does not stop at once. */
const AHEAD = { plain: 2, secure: 32 };

/** A GET and what has come of it. */
class Exchange {
  readonly head = Promise.withResolvers<HttpAnswer>();
  /** What is in one piece of memory each, oldest first. */
  readonly received: Uint8Array[][] = [];
  isBegun = false;
  isUntouched = true;
  mayStay = false;
  isWhole = false;
  failure: Error | undefined;
  /** What a reader waits for. */
  news = Promise.withResolvers<void>();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;

  constructor(signal: AbortSignal | undefined, onAbort: (reason: Error) => void) {
    this.#signal = signal;
    this.#onAbort = () => { onAbort(signal?.reason instanceof Error ? signal.reason : new Error(String(signal?.reason))); };
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** Nobody waits for it any more. */
  end(): void { this.#signal?.removeEventListener('abort', this.#onAbort); }

  fail(error: Error): void {
    this.end();
    this.failure ??= error;
    this.head.reject(this.failure);
    this.tell();
  }

  tell(): void {
    this.news.resolve();
    this.news = Promise.withResolvers<void>();
  }
}

export class HttpConnection {
  readonly #options: HttpConnectionOptions;
  readonly #socket: net.Socket;
  readonly #reader = new ResponseReader({
    onHead: (head) => { this.#begin(head); },
    onBytes: (bytes) => { this.#chunks.push(this.#isSecure ? Buffer.from(bytes) : bytes); },
    onEnd: () => { if (this.#exchange) this.#exchange.isWhole = true; },
  });

  readonly #deadline: Deadline;
  readonly #isSecure: boolean;
  readonly #memory: readonly Buffer[];
  #turn = 0;
  /** Receipts that somebody still has to read. */
  #unread = 0;
  readonly #maxUnread: number;
  #exchange: Exchange | undefined;
  /** Of what is being received. */
  #chunks: Uint8Array[] = [];
  #hasServed = false;
  #hasEnded = false;

  /** Connects to the origin of a URL. */
  constructor(url: URL, options: HttpConnectionOptions) {
    this.#options = options;
    this.#isSecure = url.protocol === 'https:';
    this.#maxUnread = this.#isSecure ? AHEAD.secure : AHEAD.plain;
    this.#memory = Array.from({ length: AHEAD.plain }, () => Buffer.allocUnsafeSlow(RECEIVE_BYTES));
    this.#socket = connect(url, {
      buffer: () => this.#memory[this.#turn = (this.#turn + 1) % this.#memory.length]!,
      callback: (count, memory) => this.#receive((memory as Buffer).subarray(0, count)),
    });
    this.#socket.setNoDelay();
    this.#deadline = new Deadline(options.timeoutMs, (reason) => { this.#fail(new Error(reason)); });
    // Connecting has a time-out of its own, and so has the answer.
    this.#socket.once(this.#isSecure ? 'secureConnect' : 'connect', () => {
      if (this.#exchange) this.#deadline.expectHead();
    });
    this.#socket.on('end', () => { this.#hasEnded = true; });
    this.#socket.on('error', (error) => { this.#break(error); });
    this.#socket.on('close', () => { this.#close(); });
  }

  /**
   * Sends a GET, when nothing else is under way.
   * @throws ConnectionStaleError; HttpProtocolError; what the system says; an Error when the head is not there in time;
   *   the signal's reason
   */
  async get(url: URL, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<HttpAnswer> {
    const lines = Object.entries(headers).map(([name, value]) => {
      validateHeaderValue(name, value);
      return `${name}: ${value}\r\n`;
    });
    signal?.throwIfAborted();
    const exchange = this.#exchange = new Exchange(signal, (reason) => { this.#fail(reason); });
    this.#socket.ref();
    this.#deadline.expectHead();
    this.#socket.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n${lines.join('')}\r\n`, 'latin1');
    return exchange.head.promise;
  }

  destroy(): void { this.#socket.destroy(); }

  /** @returns whether there is memory for more */
  #receive(bytes: Buffer): boolean {
    const exchange = this.#exchange;
    if (!exchange) {
      this.#socket.destroy();
      return true;
    }
    exchange.isUntouched = false;
    try {
      this.#reader.read(bytes);
    } catch (cause) {
      // What comes behind the end of an answer costs the connection, not the answer.
      if (exchange.isWhole) this.#socket.destroy();
      else return this.#refuse(cause);
    }
    this.#deadline.add(this.#chunks.reduce((sum, { length }) => sum + length, 0));
    if (this.#chunks.length > 0) {
      exchange.received.push(this.#chunks);
      this.#chunks = [];
      this.#unread++;
    }
    exchange.tell();
    const hasMemory = this.#unread < this.#maxUnread;
    if (exchange.isWhole) this.#deadline.end();
    else if (!hasMemory) this.#deadline.pause();
    return hasMemory;
  }

  #begin({ status, headers, mayStay }: ResponseHead): void {
    const exchange = this.#exchange;
    if (!exchange || exchange.isBegun) throw new Error('an answer that nobody asked for');
    exchange.isBegun = true;
    exchange.mayStay = mayStay;
    this.#deadline.expectBody();
    exchange.head.resolve({ status, headers, body: { [Symbol.asyncIterator]: () => this.#read(exchange), destroy: () => { this.#finish(exchange); } } });
  }

  async* #read(exchange: Exchange): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const chunks = exchange.received.shift();
        if (chunks) {
          yield* chunks;
          this.#goOn(exchange);
        } else if (exchange.isWhole) {
          return;
        } else if (exchange.failure) {
          throw exchange.failure;
        } else {
          await exchange.news.promise;
        }
      }
    } finally {
      this.#finish(exchange);
    }
  }

  /** Receives into memory that has been read. */
  #goOn(exchange: Exchange): void {
    if (this.#unread-- !== this.#maxUnread) return;
    if (!exchange.isWhole) this.#deadline.resume();
    this.#socket.resume();
  }

  #refuse(cause: unknown): false {
    const what = cause instanceof Error ? cause.message : String(cause);
    this.#fail(new HttpProtocolError(`it answers with what is not HTTP: ${what}`, { cause }));
    return false;
  }

  /** Lets go of an answer; the connection stays where all of it was read. */
  #finish(exchange: Exchange): void {
    if (this.#exchange !== exchange) return;
    this.#exchange = undefined;
    this.#deadline.end();
    exchange.end();
    if (!exchange.isWhole || !exchange.mayStay || this.#unread > 0 || this.#socket.destroyed || this.#hasEnded) {
      this.#socket.destroy();
      return;
    }
    this.#hasServed = true;
    this.#socket.unref();
    this.#options.onFree();
  }

  #fail(error: Error): void {
    this.#deadline.end();
    this.#exchange?.fail(error);
    this.#socket.destroy();
  }

  /** Whatever ends a connection that has served before, and does it before anything came, may have ended it while it waited. */
  #break(cause: Error): void {
    this.#fail(this.#hasServed && this.#exchange?.isUntouched ? new ConnectionStaleError(cause.message, { cause }) : cause);
  }

  #close(): void {
    this.#deadline.end();
    // A body without a length ends with the connection, if that ends well.
    if (this.#hasEnded) this.#reader.end();
    if (this.#exchange?.isWhole) this.#exchange.tell();
    else this.#break(new Error('the connection was closed'));
    this.#options.onClosed();
  }
}

function connect({ protocol, hostname, port }: URL, onread: net.OnReadOpts): net.Socket {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol !== 'https:') return net.connect({ host, port: Number(port || 80), onread });
  // The types do not know that TLS has `onread`, too.
  const options: tls.ConnectionOptions & { onread: net.OnReadOpts } = { host, port: Number(port || 443), ALPNProtocols: ['http/1.1'], onread };
  return tls.connect(net.isIP(host) === 0 ? { ...options, servername: host } : options);
}
