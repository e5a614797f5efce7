// Turns an HTTP response of status 400 and above into a RegistryError.

import { RegistryError } from './errors.ts';
import type { FieldError } from './errors.ts';

const MAX_MESSAGE_LENGTH = 1000;

export interface Refusal {
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
  const reason = [problem.detail, problem.title, problem.message, refusal.text, code].find(
    (text): text is string => typeof text === 'string' && text !== '',
  );
  const subject = artefactId === undefined ? '' : ` for ${artefactId}`;
  const message = `the registry responded with ${status}${subject}: ${reason?.slice(0, MAX_MESSAGE_LENGTH)}`;
  return new RegistryError(message, {
    status,
    code,
    artefactId,
    errors: parseErrors(problem.errors),
    retryAfterMs: parseRetryAfter(refusal.retryAfter),
  });
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
