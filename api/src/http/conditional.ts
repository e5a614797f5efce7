// Conditional and range requests (RFC 9110, sections 13 and 14) as pure functions over headers.

import type { IncomingHttpHeaders } from 'node:http';

/** The representation to send. */
export interface Representation {
  /** Strong, quoted. */
  etag: string;
  /** Whole seconds since the epoch; omitted if the resource has no such date. */
  lastModifiedSeconds?: number;
  sizeBytes: number;
}

/** The three forms of RFC 9110, 5.6.7: IMF-fixdate, RFC 850 and asctime, which means GMT. Others are ignored. */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/,
  /^[A-Z][a-z]+, \d\d-[A-Z][a-z]{2}-\d\d [\d:]{8} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}$/,
];

/** First and last byte, both inclusive, from 0. */
export interface ByteRange {
  start: number;
  end: number;
}

export type Answer = { status: 200 } | { status: 304 } | { status: 416 } | { status: 206; range: ByteRange };

/**
 * Decides the status of a GET or HEAD: 304 by If-None-Match, else by If-Modified-Since; then 206 for a single byte
 * range, unless If-Range names another representation. Multiple ranges, other units and malformed ranges are ignored,
 * as RFC 9110 allows.
 */
export function answerTo(method: string, headers: IncomingHttpHeaders, representation: Representation): Answer {
  if (isNotModified(headers, representation)) return { status: 304 };
  if (method !== 'GET' || headers.range === undefined || !matchesIfRange(headers['if-range'], representation))
    return { status: 200 };
  return parseRange(headers.range, representation.sizeBytes);
}

/** Whether the client's cached copy is current. */
export function isNotModified(
  headers: IncomingHttpHeaders,
  { etag, lastModifiedSeconds }: Omit<Representation, 'sizeBytes'>,
): boolean {
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined)
    return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => withoutWeakPrefix(tag.trim()) === etag);
  const since = secondsOf(headers['if-modified-since']);
  return since !== undefined && lastModifiedSeconds !== undefined && lastModifiedSeconds <= since;
}

/** Formats whole seconds as an HTTP date. */
export function httpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString();
}

function withoutWeakPrefix(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}

/** Strong comparison only: a weak tag never matches, a date must be equal. */
function matchesIfRange(ifRange: IncomingHttpHeaders[string], { etag, lastModifiedSeconds }: Representation): boolean {
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
  if (date === undefined || !HTTP_DATES.some((form) => form.test(date))) return undefined;
  const milliseconds = Date.parse(date.endsWith('GMT') ? date : `${date} GMT`);
  return Number.isNaN(milliseconds) ? undefined : Math.floor(milliseconds / 1000);
}
