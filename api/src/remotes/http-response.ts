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

/** Of a status line and its headers, those of interim responses included. */
const MAX_HEAD_BYTES = 64 * 1024;
/** 100, 102 and 103 come once or twice, if at all; RFC 9110 (15.2) sets no bound. */
const MAX_INTERIM_RESPONSES = 8;
/** Of a chunk's size with its extensions, which nobody sends and RFC 9112 (7.1.1) wants to be bounded. */
const MAX_CHUNK_LINE_BYTES = 1024;
/** Of all trailers, which nobody reads here. */
const MAX_TRAILER_BYTES = 16 * 1024;

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: |$)/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

type LineState = 'status' | 'headers' | 'chunk size' | 'chunk end' | 'trailers';
type State = LineState | 'sized' | 'chunk' | 'unsized';

/** How many bytes what is read in lines may have, and what it is. */
const LIMITS: Readonly<Record<LineState, readonly [maxBytes: number, what: string]>> = {
  'status': [MAX_HEAD_BYTES, 'headers'],
  'headers': [MAX_HEAD_BYTES, 'headers'],
  'chunk size': [MAX_CHUNK_LINE_BYTES, 'a chunk size'],
  'chunk end': [MAX_CHUNK_LINE_BYTES, 'a chunk size'],
  'trailers': [MAX_TRAILER_BYTES, 'trailers'],
};

export class ResponseReader {
  readonly #events: ResponseEvents;
  #state: State = 'status';
  #line = '';
  /** Of the head, of a chunk's size or of trailers, so far. */
  #lineBytes = 0;
  #interimResponses = 0;
  /** Of the body, or of a chunk of it. */
  #bytesLeft = 0;
  #minorVersion = 1;
  #status = 0;
  #headers: Record<string, string | undefined> = {};

  constructor(events: ResponseEvents) { this.#events = events; }

  /** Reads on. @throws Error when it is not HTTP, or more of anything but a body than there may be */
  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const state = this.#state;
      if (state === 'sized' || state === 'chunk' || state === 'unsized') at = this.#readBytes(bytes, at);
      else at = this.#readLine(bytes, at, LIMITS[state]);
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

  #readLine(bytes: Buffer, at: number, [maxBytes, what]: (typeof LIMITS)[LineState]): number {
    const newline = bytes.indexOf('\n', at, 'latin1');
    const end = newline === -1 ? bytes.length : newline;
    this.#lineBytes += end - at;
    if (this.#lineBytes > maxBytes) throw new Error(`more than ${maxBytes} bytes of ${what}`);
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
        this.#lineBytes = 0;
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
    if (this.#status === 101) throw new Error('another protocol');
    if (this.#status < 200) {
      this.#interimResponses++;
      if (this.#interimResponses > MAX_INTERIM_RESPONSES) throw new Error(`more than ${MAX_INTERIM_RESPONSES} interim responses`);
      this.#state = 'status';
      return;
    }
    const sizeBytes = lengthOf(length);
    if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || length !== undefined)) throw new Error('a body of no clear length');
    const isEmpty = this.#status === 204 || this.#status === 304 || sizeBytes === 0;
    const isUnsized = !isEmpty && encoding === undefined && sizeBytes === undefined;
    this.#lineBytes = 0;
    this.#events.onHead({ status: this.#status, headers: this.#headers, mayStay: !isUnsized && this.#minorVersion === 1 && !/\bclose\b/i.test(connection) });
    this.#bytesLeft = sizeBytes ?? 0;
    this.#state = isUnsized ? 'unsized' : encoding === undefined ? 'sized' : 'chunk size';
    if (isEmpty) this.#finish();
  }

  #takeChunkSize(line: string): void {
    const [, size] = CHUNK_LINE.exec(line) ?? [];
    if (size === undefined) throw new Error('a chunk without a length');
    this.#bytesLeft = Number.parseInt(size, 16);
    this.#lineBytes = 0;
    this.#state = this.#bytesLeft === 0 ? 'trailers' : 'chunk';
  }

  #finish(): void {
    this.#state = 'status';
    this.#lineBytes = 0;
    this.#interimResponses = 0;
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
