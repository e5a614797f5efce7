// Loads better-auth on first use; auth.ts states the cost.

import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Auth, AuthOptions } from './auth.ts';

const RESET_TOKEN_BYTES = 32;

/** Creates a function that returns the shared instance and loads it on first use; a failed load is retried. */
export function createAuthLoader(options: AuthOptions): () => Promise<Auth> {
  let loading: Promise<Auth> | undefined;
  const load = async () => (await import('./auth.ts')).createAuth(options);
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}

/** Creates the single-use token of a password reset link. */
export async function createResetToken(
  auth: Auth,
  userId: string,
  lifetimeSeconds: number,
): Promise<{ token: string; expiresAt: Date }> {
  const token = randomBytes(RESET_TOKEN_BYTES).toString('base64url');
  const expiresAt = new Date(Date.now() + lifetimeSeconds * 1000);
  const { internalAdapter } = await auth.$context;
  await internalAdapter.createVerificationValue({ identifier: `reset-password:${token}`, value: userId, expiresAt });
  return { token, expiresAt };
}

/** Renews a session; returns the `Set-Cookie` headers to send, or undefined if it has ended meanwhile. */
export async function renewSession(auth: Auth, { cookie }: IncomingHttpHeaders): Promise<string[] | undefined> {
  try {
    const { headers, response } = await auth.api.getSession({
      headers: new Headers({ cookie: cookie ?? '' }),
      returnHeaders: true,
    });
    return response ? headers.getSetCookie() : undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if ('statusCode' in error && error.statusCode === 401) return undefined;
    throw error.cause instanceof Error ? error.cause : error;
  }
}
