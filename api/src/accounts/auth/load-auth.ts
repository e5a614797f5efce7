// Loads better-auth on first use; auth.ts states the cost.

import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Executor } from '../../db/index.ts';
import { insertResetToken } from '../users/credential-repository.ts';
import type { Auth, AuthOptions } from './auth.ts';

const RESET_TOKEN_BYTES = 32;
/** Starts the tokens that a superadmin passes on; no other token contains a dot. */
const HANDED_OVER = 'link.';

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

/**
 * Creates the single-use token of a password reset link.
 * @param way how the link reaches the user: by mail to their address, or passed on by a superadmin
 */
export async function createResetToken(
  executor: Executor,
  userId: string,
  way: 'mailed' | 'handed-over',
  lifetimeSeconds: number,
): Promise<{ token: string; expiresAt: Date }> {
  const token = `${way === 'handed-over' ? HANDED_OVER : ''}${randomBytes(RESET_TOKEN_BYTES).toString('base64url')}`;
  const expiresAt = new Date(Date.now() + lifetimeSeconds * 1000);
  await insertResetToken(executor, { userId, token, expiresAt });
  return { token, expiresAt };
}

/** Tells whether a token, if it is valid, was sent by mail to the address of its user. */
export function isMailedToken(token: unknown): boolean {
  return typeof token === 'string' && !token.startsWith(HANDED_OVER);
}

/** Finds the user whose sign-in awaits the second factor. @param name see SessionCookies.readPendingSignIn */
export async function findPendingUser(auth: Auth, name: string): Promise<string | undefined> {
  const { internalAdapter } = await auth.$context;
  return (await internalAdapter.findVerificationValue(name))?.value;
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
