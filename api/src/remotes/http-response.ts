// Reads HTTP/1.1 responses (RFC 9112) out of pieces of any length, and copies none of their bytes. Strict: what could be read in two ways is refused.

/** By lower-case name; those that came more than once are joined by a comma. */
export type HttpHeaders = Readonly<Record<string, string | undefined>>;

export interface ResponseHead {
  status: number;
  headers: HttpHeaders;
  /** Whether the connection can be used again. */
  mayStay: boolean;
}

export interface ResponseEvents {
  onHead: (head: ResponseHead) => void;
  /** Bytes of the body: a view of what was read. */
  onBytes: (bytes: Uint8Array) => void;
  onEnd: () => void;
}

/** Of a status line and its headers, and of whatever else is no body. */
const MAX_HEAD_BYTES = 64 * 1024;

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: |$)/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

type State = 'status' | 'headers' | 'sized' | 'chunk size' | 'chunk' | 'chunk end' | 'trailers' | 'unsized';

export class ResponseReader {
  readonly #events: ResponseEvents;
  #state: State = 'status';
  #line = '';
  #headBytes = 0;
  /** Of the body, or of a chunk of it. */
  #bytesLeft = 0;
  #minorVersion = 1;
  #status = 0;
  #headers: Record<string, string | undefined> = {};

  constructor(events: ResponseEvents) { this.#events = events; }

  /** Reads on. @throws Error when it is not HTTP, or too long a head */
  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#state === 'sized' || this.#state === 'chunk' || this.#state === 'unsized') at = this.#readBytes(bytes, at);
      else at = this.#readLine(bytes, at);
    }
  }

  /** Tells that the other side has ended the connection, as it should: what has no length is whole then. */
  end(): void {
    if (this.#state === 'unsized') this.#finish();
  }

  #readBytes(bytes: Buffer, at: number): number {
    const count = this.#state === 'unsized' ? bytes.length - at : Math.min(bytes.length - at, this.#bytesLeft);
    this.#bytesLeft -= count;
    this.#events.onBytes(bytes.subarray(at, at + count));
    if (this.#bytesLeft === 0 && this.#state === 'sized') this.#finish();
    if (this.#bytesLeft === 0 && this.#state === 'chunk') this.#state = 'chunk end';
    return at + count;
  }

  #readLine(bytes: Buffer, at: number): number {
    const newline = bytes.indexOf('\n', at, 'latin1');
    const end = newline === -1 ? bytes.length : newline;
    this.#headBytes += end - at;
    if (this.#headBytes > MAX_HEAD_BYTES) throw new Error(`more than ${MAX_HEAD_BYTES} bytes of headers`);
    this.#line += bytes.toString('latin1', at, end);
    if (newline === -1) return end;
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    this.#take(line);
    return newline + 1;
  }

  #take(line: string): void {
    switch (this.#state) {
      case 'status': this.#takeStatus(line); break;
      case 'headers': if (line === '') this.#begin(); else this.#takeHeader(line); break;
      case 'chunk size': this.#takeChunkSize(line); break;
      case 'chunk end':
        if (line !== '') throw new Error('a chunk that is longer than it says');
        this.#state = 'chunk size';
        this.#headBytes = 0;
        break;
      default: if (line === '') this.#finish();
    }
  }

  #takeStatus(line: string): void {
    const [, minorVersion, status] = STATUS_LINE.exec(line) ?? [];
    if (status === undefined) throw new Error('no status line');
    this.#minorVersion = Number(minorVersion);
    this.#status = Number(status);
    this.#headers = Object.create(null) as Record<string, string | undefined>;
    this.#state = 'headers';
  }

  #takeHeader(line: string): void {
    const [, name = '', value = ''] = HEADER_LINE.exec(line) ?? [];
    if (name === '') throw new Error('a header that is none');
    const key = name.toLowerCase();
    const before = this.#headers[key];
    this.#headers[key] = before === undefined ? value : `${before}, ${value}`;
  }

  #begin(): void {
    const { 'content-length': length, 'transfer-encoding': encoding, connection = '' } = this.#headers;
    const isInterim = this.#status < 200;
    if (this.#status === 101) throw new Error('another protocol');
    const sizeBytes = lengthOf(length);
    if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || length !== undefined)) throw new Error('a body of no clear length');
    const isEmpty = isInterim || this.#status === 204 || this.#status === 304 || sizeBytes === 0;
    const isUnsized = !isEmpty && encoding === undefined && sizeBytes === undefined;
    this.#headBytes = 0;
    if (!isInterim) this.#events.onHead({ status: this.#status, headers: this.#headers, mayStay: !isUnsized && this.#minorVersion === 1 && !/\bclose\b/i.test(connection) });
    this.#bytesLeft = sizeBytes ?? 0;
    this.#state = isUnsized ? 'unsized' : encoding === undefined ? 'sized' : 'chunk size';
    if (isInterim) this.#state = 'status';
    else if (isEmpty) this.#finish();
  }

  #takeChunkSize(line: string): void {
    const [, size] = CHUNK_LINE.exec(line) ?? [];
    if (size === undefined) throw new Error('a chunk without a length');
    this.#bytesLeft = Number.parseInt(size, 16);
    this.#state = this.#bytesLeft === 0 ? 'trailers' : 'chunk';
  }

  #finish(): void {
    this.#state = 'status';
    this.#headBytes = 0;
    this.#events.onEnd();
  }
}

function lengthOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const lengths = new Set(header.split(', '));
  const [length = ''] = lengths;
  if (lengths.size !== 1 || !/^\d{1,15}$/.test(length)) throw new Error('a length that is no number');
  return Number(length);
}
