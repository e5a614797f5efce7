// A real OpenID provider in this process; it signs in the configured user without a password.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { exportJWK, generateKeyPair, importJWK, SignJWT, decodeJwt, type JWK, type JWTPayload } from 'jose';
import Provider from 'oidc-provider';
import { ADMIN_EMAIL, type Headers, type People } from './people.ts';

/** Codes with which Berth refuses a person, for tests of the pages that explain them. */
export { REFUSALS as PERSON_REFUSALS } from '../../src/accounts/oidc/identity.ts';

export interface ProviderUser {
  sub: string;
  email?: string;
  email_verified?: boolean;
  name?: string;
  [claim: string]: unknown;
}

export interface TestProvider {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** The user who signs in next. */
  user: ProviderUser;
  /** Changes the payload of issued identity tokens, which are then signed again with the provider's key. */
  tamper: ((payload: JWTPayload) => JWTPayload) | undefined;
  /** Answers in place of the provider, by path: `/token`, `/me`, `/jwks`, `/.well-known/openid-configuration`. */
  answers: Map<string, (response: ServerResponse) => void>;
  /** Number of sign-outs at the provider. */
  signedOut: number;
  /** Signs a token, such as that of a CI job, with the provider's key. */
  sign(payload: JWTPayload): Promise<string>;
  stop(): Promise<void>;
}

const CLIENT = { clientId: 'berth', clientSecret: 'a secret between the two' };

/** @param publicUrl of the Berth that users sign in to @param port default a free one */
export async function startTestProvider(publicUrl: string, port = 0): Promise<TestProvider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const key: JWK = { ...(await exportJWK(privateKey)), kid: 'key-1', alg: 'RS256', use: 'sig' };
  const server = createServer((request, response) => {
    void handle(request, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const users = new Map<string, ProviderUser>();
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: [`${publicUrl}/api/auth/callback/oidc`],
        post_logout_redirect_uris: [`${publicUrl}/`],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    jwks: { keys: [key] },
    conformIdTokenClaims: false,
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups', 'organizations'] },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    pkce: { required: () => true },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => Promise.resolve({ ...users.get(sub), sub }) }),
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
    cookies: { keys: ['one of the tests'] },
  });
  const callback = provider.callback();

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '', issuer);
    if (pathname.startsWith('/interaction/')) {
      users.set(test.user.sub, test.user);
      return provider.interactionFinished(
        request,
        response,
        { login: { accountId: test.user.sub, remember: false } },
        { mergeWithLastSubmission: false },
      );
    }
    const answer = test.answers.get(pathname);
    if (answer) {
      answer(response);
      return;
    }
    if (pathname === '/session/end') test.signedOut++;
    if (pathname === '/token' && test.tamper)
      tamperWith(response, async (body) => ({ ...body, id_token: await resign(body['id_token'] as string) }));
    return callback(request, response);
  }

  async function resign(token: string): Promise<string> {
    return sign(test.tamper?.(decodeJwt(token)) ?? {});
  }

  async function sign(payload: JWTPayload): Promise<string> {
    return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'key-1' }).sign(await importJWK(key));
  }

  const test: TestProvider = {
    issuer,
    ...CLIENT,
    user: { sub: 'nobody' },
    tamper: undefined,
    answers: new Map(),
    signedOut: 0,
    sign,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return test;
}

/** Changes a JSON response before it is sent. */
function tamperWith(
  response: ServerResponse,
  change: (body: Record<string, unknown>) => Promise<Record<string, unknown>>,
): void {
  const end = response.end.bind(response) as (body: string) => ServerResponse;
  response.end = ((body: string | Buffer) => {
    void change(JSON.parse(String(body)) as Record<string, unknown>).then((changed) => {
      const text = JSON.stringify(changed);
      response.setHeader('content-length', Buffer.byteLength(text));
      end(text);
    });
    return response;
  }) as typeof response.end;
}

/** Creates users of the provider, who sign in to the server at `url`, which was started with `providerSettings`. */
export function providerPeople(url: string, provider: TestProvider): People {
  let count = 0;
  let session: Promise<Headers> | undefined;
  // One sign-in at a time: the provider has a single next user.
  let turn: Promise<unknown> = Promise.resolve();
  const signIn = (user: ProviderUser): Promise<Headers> => {
    const signedIn = turn.then(async () => {
      provider.user = user;
      const browser = new Browser();
      const at = await signInThrough(url, browser);
      if (at !== `${url}/signed-in`) throw new Error(`${user.sub} was led to ${at}`);
      return { cookie: browser.cookiesFor(url) };
    });
    turn = signedIn.catch(() => undefined);
    return signedIn;
  };
  return {
    superadmin: () =>
      (session ??= signIn({
        sub: 'admin',
        email: ADMIN_EMAIL,
        email_verified: true,
        name: 'Administrator',
        groups: ['berth-admins'],
      })),
    async member(organization, role) {
      const sub = `${organization}-${role}-${++count}`;
      const headers = await signIn({
        sub,
        email: `${sub}@example.org`,
        email_verified: true,
        name: role,
        organizations: [`${organization}:${role}`],
      });
      const chosen = await fetch(`${url}/api/v1/session/account`, {
        method: 'PUT',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ type: 'organization', id: organization }),
      });
      if (!chosen.ok) throw new Error(await chosen.text());
      return headers;
    },
  };
}

/** Settings of a server whose users sign in through the provider. */
export function providerSettings({ issuer, clientId, clientSecret }: TestProvider): Record<string, string> {
  return {
    OIDC_ISSUER: issuer,
    OIDC_CLIENT_ID: clientId,
    OIDC_CLIENT_SECRET: clientSecret,
    OIDC_ORGANIZATIONS_CLAIM: 'organizations',
    OIDC_ADMIN_CLAIM: 'groups',
    OIDC_ADMIN_VALUE: 'berth-admins',
  };
}

/** Simulates a browser during a sign-in: follows redirects, keeps cookies by host. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>();

  /** The cookies that it sends to a URL. */
  cookiesFor(url: string): string {
    return [...(this.#cookies.get(new URL(url).host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  async request(url: string, init: RequestInit = {}): Promise<Response> {
    const cookie = this.cookiesFor(url);
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...(init.headers as Record<string, string>), ...(cookie !== '' && { cookie }) },
    });
    const jar = this.#cookies.get(new URL(url).host) ?? new Map<string, string>();
    this.#cookies.set(new URL(url).host, jar);
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  /** Follows redirects up to the first URL that matches `isTarget`, which is not requested. */
  async follow(url: string, isTarget: (url: string) => boolean): Promise<string> {
    for (let hop = 0; hop < 20; hop++) {
      if (isTarget(url)) return url;
      const response = await this.request(url);
      const location = response.headers.get('location');
      if (location === null) throw new Error(`${url} does not redirect: ${response.status} ${await response.text()}`);
      await response.body?.cancel();
      url = new URL(location, url).href;
    }
    throw new Error(`${url}: too many redirects`);
  }
}

/** Signs in to the server at `url` (its PUBLIC_URL). @returns the last URL of the redirects */
export async function signInThrough(url: string, browser: Browser): Promise<string> {
  const response = await browser.request(`${url}/api/auth/sign-in/social`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'origin': new URL(url).origin },
    body: JSON.stringify({ provider: 'oidc', callbackURL: `${url}/signed-in` }),
  });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  const { url: first } = (await response.json()) as { url: string };
  return browser.follow(first, (at) => at.startsWith(`${url}/`) && !at.includes('/api/auth/callback/'));
}
