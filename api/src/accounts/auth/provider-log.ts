// Turns what better-auth logs during a call into one line, which gateway.ts logs when a sign-in through the OpenID
// provider fails: the browser learns only a code such as `invalid_code`.

import type { BetterAuthOptions } from 'better-auth';
import type { AuthCalls } from './call-context.ts';

const MAX_LENGTH = 500;

/** @param secret OIDC_CLIENT_SECRET, which a provider might repeat in its answer */
export function createAuthLogger(
  calls: AuthCalls,
  secret: string | undefined,
): NonNullable<BetterAuthOptions['logger']> {
  if (secret === undefined) return { disabled: true };
  return {
    level: 'error',
    log: (_level, message, ...details: unknown[]) => {
      const text = [message, ...details.map(describe)].filter((part) => part !== '').join(': ');
      calls.report(text.replaceAll(secret, '***').slice(0, MAX_LENGTH));
    },
  };
}

/** A text of the provider on one line of bounded length, without what looks like a token. */
export function providerText(text: string): string {
  return text
    .slice(0, MAX_LENGTH)
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replaceAll(/[\w.~+/=-]{32,}/g, '***');
}

/** The message of an error, or the fields of an OAuth error response (RFC 6749, section 5.2) with its status. */
function describe(detail: unknown): string {
  if (typeof detail !== 'object' || detail === null) return '';
  const { status, error, error_description: description, message } = detail as Record<string, unknown>;
  return [status, error, description, message]
    .filter((part) => typeof part === 'string' || typeof part === 'number')
    .map((part) => providerText(String(part)))
    .join(' ');
}
