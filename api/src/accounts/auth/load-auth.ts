// better-auth, loaded when it is first needed: see auth.ts for what it costs.

import type { IncomingHttpHeaders } from 'node:http';
import type { Auth, AuthOptions } from './auth.ts';

/** Makes what gives the one instance; a load that failed is tried again. */
export function createAuthLoader(options: AuthOptions): () => Promise<Auth> {
  let loading: Promise<Auth> | undefined;
  const load = async () => (await import('./auth.ts')).createAuth(options);
  return () => {
    loading ??= load().catch((error: unknown) => { loading = undefined; throw error; });
    return loading;
  };
}

/** Prolongs a session; the `Set-Cookie` headers to send, or undefined when it ended meanwhile. */
export async function prolongSession(auth: Auth, { cookie }: IncomingHttpHeaders): Promise<string[] | undefined> {
  try {
    const { headers, response } = await auth.api.getSession({ headers: new Headers({ cookie: cookie ?? '' }), returnHeaders: true });
    return response ? headers.getSetCookie() : undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if ('statusCode' in error && error.statusCode === 401) return undefined;
    throw error.cause instanceof Error ? error.cause : error;
  }
}
