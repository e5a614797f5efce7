// Turns an HTTP response of status 400 and above into a RegistryError.

import { RegistryError } from './errors.ts';
import { toOneLine } from './connection-failure.ts';
import type { FieldError } from './errors.ts';

const MAX_MESSAGE_LENGTH = 1000;

export interface Refusal {
  url: URL;
  status: number;
  contentType: string | null | undefined;
  retryAfter: string | null | undefined;
  text: string;
  artefactId: string | undefined;
}

/** Parses `application/problem+json` (RFC 9457), or whatever an older registry or a proxy sent instead. */
export function refusalError(refusal: Refusal): RegistryError {
  const { status, artefactId } = refusal;
  const problem = /\bjson\b/.test(refusal.contentType ?? '') ? parseObject(refusal.text) : {};
  const code = typeof problem.code === 'string' ? problem.code : `http_${status}`;
  const reason = [problem.detail, problem.title, problem.message].find(
    (text): text is string => typeof text === 'string' && text !== '',
  );
  const subject = artefactId === undefined ? '' : ` for ${artefactId}`;
  const said = toOneLine(reason ?? describeOtherAnswer(refusal.url, status, refusal.text)).slice(
    0,
    MAX_MESSAGE_LENGTH,
  );
  const message = `the registry responded with ${status}${subject}: ${said}`;
  return new RegistryError(message, {
    status,
    code,
    artefactId,
    errors: parseErrors(problem.errors),
    retryAfterMs: parseRetryAfter(refusal.retryAfter),
  });
}

/** What servers with TLS say to a request without: nginx, Apache, Go. */
const WANTS_TLS = /plain HTTP request was sent to HTTPS|speaking plain HTTP to an SSL|HTTP request to an HTTPS/i;

/**
 * Describes a response that is no problem document, as of a proxy, of an older registry or of another server: in its
 * own words, if it has any beside markup.
 */
export function describeOtherAnswer(url: URL, status: number, text: string): string {
  if (url.protocol === 'http:' && WANTS_TLS.test(text)) return `it requires TLS; did you mean https://${url.host}?`;
  const isHtml = /^\s*<(!doctype html|html|head|body|title|h\d)\b/i.test(text);
  const [, title = ''] = /<(?:title|h1)[^>]*>([^<]*)</i.exec(text) ?? [];
  const page = `an HTML page${toOneLine(title) === '' ? '' : ` (${toOneLine(title)})`}`;
  if (!isHtml && text.trim() !== '') return text;
  const question = status < 500 ? `; is ${url.origin} the address of a registry?` : '';
  return `${isHtml ? page : 'nothing more'}${question}`;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function parseErrors(errors: unknown): FieldError[] {
  return (Array.isArray(errors) ? (errors as (Partial<FieldError> | null)[]) : []).flatMap((error) =>
    typeof error?.path === 'string' ? [{ path: error.path, message: String(error.message) }] : [],
  );
}

/** Parses seconds or an HTTP date (RFC 9110 section 10.2.3) into milliseconds from now. */
function parseRetryAfter(value: string | null | undefined): number | undefined {
  if (value == null) return undefined;
  const delayMs = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(delayMs) ? undefined : Math.max(0, delayMs);
}
