// Conditional and range requests (RFC 9110, sections 13 and 14) as pure functions over headers.

import type { IncomingHttpHeaders } from 'node:http';

/** The representation that would be sent. */
export interface Representation {
  /** Strong, quoted. */
  etag: string;
  /** Whole seconds since the epoch; left out where a resource has no such date. */
  lastModifiedSeconds?: number;
  sizeBytes: number;
}

/**
 * The three forms of RFC 9110, 5.6.7; the last one, of asctime, names no zone and means GMT. Others must not count.
 */
const HTTP_DATE =
  /^(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT|[A-Z][a-z]+, \d\d-[A-Z][a-z]{2}-\d\d [\d:]{8} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4})$/;

/** First and last byte, both included, counted from 0. */
export interface ByteRange {
  start: number;
  end: number;
}

export type Answer = { status: 200 } | { status: 304 } | { status: 416 } | { status: 206; range: ByteRange };

/**
 * Decides how a GET or HEAD is answered: 304 by If-None-Match, else by If-Modified-Since; then a single byte
 * range, unless If-Range names another representation. Several ranges, other units and malformed ones are
 * ignored, as RFC 9110 allows.
 */
export function answerTo(method: string, headers: IncomingHttpHeaders, representation: Representation): Answer {
  if (isNotModified(headers, representation)) return { status: 304 };
  if (method !== 'GET' || headers.range === undefined || !ifRangeHolds(headers['if-range'], representation))
    return { status: 200 };
  return parseRange(headers.range, representation.sizeBytes);
}

/** Tells whether the client already holds the representation. */
export function isNotModified(
  headers: IncomingHttpHeaders,
  { etag, lastModifiedSeconds }: Omit<Representation, 'sizeBytes'>,
): boolean {
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined)
    return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => withoutWeakness(tag.trim()) === etag);
  const since = secondsOf(headers['if-modified-since']);
  return since !== undefined && lastModifiedSeconds !== undefined && lastModifiedSeconds <= since;
}

/** Formats whole seconds as an HTTP date. */
export function httpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString();
}

function withoutWeakness(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}

/** Strong comparison only: a weak tag never holds, a date must be the very one. */
function ifRangeHolds(ifRange: IncomingHttpHeaders[string], { etag, lastModifiedSeconds }: Representation): boolean {
  if (ifRange === undefined) return true;
  if (typeof ifRange !== 'string') return false;
  return ifRange.trim() === etag || (lastModifiedSeconds !== undefined && secondsOf(ifRange) === lastModifiedSeconds);
}

function parseRange(header: string, sizeBytes: number): Answer {
  const match = /^bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  const [, first = '', last = ''] = match ?? [];
  if (first === '' && last === '') return { status: 200 };
  if (first === '') {
    const suffixBytes = Math.min(Number(last), sizeBytes);
    return suffixBytes === 0
      ? { status: 416 }
      : { status: 206, range: { start: sizeBytes - suffixBytes, end: sizeBytes - 1 } };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return { status: 200 };
  if (start >= sizeBytes) return { status: 416 };
  return { status: 206, range: { start, end: last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1) } };
}

function secondsOf(date: string | undefined): number | undefined {
  if (date === undefined || !HTTP_DATE.test(date)) return undefined;
  const milliseconds = Date.parse(date.endsWith('GMT') ? date : `${date} GMT`);
  return Number.isNaN(milliseconds) ? undefined : Math.floor(milliseconds / 1000);
}
