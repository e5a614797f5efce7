// A test identity service: publishes its keys, and signs session cookies with them.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

export interface DirectoryUser {
  id: string;
  name?: string;
  email?: string;
  organizations?: { id: string; name?: string; role: string; department?: string; departmentName?: string }[];
  isAdmin?: boolean;
  adminMode?: boolean;
  asAdmin?: { id: string; name: string };
  pseudoSession?: boolean;
}

export interface TestDirectory {
  url: string;
  /** Number of requests so far. */
  readonly requestCount: number;
  /** Signs with a new key from now on; stops publishing the earlier ones unless `keep`. */
  rotate(options?: { keep?: boolean }): Promise<void>;
  /** While true, every request is answered with 502. */
  away: boolean;
  /**
   * Signs a token.
   * @param options `expiresIn` in seconds, default an hour, null for no expiry; `key` to sign with another key
   */
  sign(
    user: DirectoryUser,
    options?: { expiresIn?: number | null; key?: CryptoKey; kid?: string; claims?: Record<string, unknown> },
  ): Promise<string>;
  /** Headers of a session of the user, who acts under the membership. */
  cookies(
    user: DirectoryUser,
    membership?: { org?: string; dep?: string; role?: string; lang?: string },
  ): Promise<{ cookie: string }>;
  stop(): Promise<void>;
}

export async function startTestDirectory(): Promise<TestDirectory> {
  let requestCount = 0;
  let keyCount = 0;
  let publishedKeys: JWK[] = [];
  let current: { key: CryptoKey; kid: string };
  /** Users and organisations of all signed tokens. */
  const known = {
    users: new Map<string, { id: string; name: string }>(),
    organizations: new Map<string, { id: string; name: string; departments: { id: string; name: string }[] }>(),
  };

  async function rotate({ keep = false } = {}): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const kid = `key-${++keyCount}`;
    publishedKeys = [
      ...(keep ? publishedKeys : []),
      { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' },
    ];
    current = { key: privateKey, kid };
  }
  await rotate();

  const server = createServer((request, response) => {
    requestCount++;
    if (directory.away) return response.writeHead(502).end('away');
    const { pathname, searchParams } = new URL(request.url ?? '/', directory.url);
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (pathname === '/directory/.well-known/jwks.json') return answer(200, { keys: publishedKeys });
    const kind = /^\/directory\/api\/(users|organizations)$/.exec(pathname)?.[1] as keyof typeof known | undefined;
    if (!kind) return answer(404, 'nothing here');
    if (!request.headers.cookie?.includes('id_token=')) return answer(401, 'sign in');
    const results = [...known[kind].values()].filter(({ name }) =>
      name.toLowerCase().includes((searchParams.get('q') ?? '').toLowerCase()),
    );
    return answer(200, { count: results.length, results });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Some tests stop only their server, not this service.
  server.unref();

  const sign: TestDirectory['sign'] = (
    user,
    { expiresIn = 3600, key = current.key, kid = current.kid, claims = {} } = {},
  ) =>
    new SignJWT({
      organizations: [],
      ...user,
      ...claims,
      ...(expiresIn !== null && { exp: Math.floor(Date.now() / 1000) + expiresIn }),
    })
      .setProtectedHeader({ alg: 'RS256', kid })
      .setIssuedAt()
      .sign(key);
  const directory: TestDirectory = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/directory`,
    get requestCount() {
      return requestCount;
    },
    away: false,
    rotate,
    sign,
    cookies: async (user, membership) => {
      known.users.set(user.id, { id: user.id, name: user.name ?? user.id });
      for (const { id, name = id, department, departmentName } of user.organizations ?? [])
        known.organizations.set(id, {
          id,
          name,
          departments: department ? [{ id: department, name: departmentName ?? department }] : [],
        });
      return toHeaders(await sign(user), membership);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return directory;
}

/** Headers with a token split into two cookies, as the identity service sets them. */
export function toHeaders(
  token: string,
  { org, dep, role, lang }: { org?: string; dep?: string; role?: string; lang?: string } = {},
): { cookie: string } {
  const cut = token.lastIndexOf('.');
  const cookies = {
    id_token: token.slice(0, cut),
    id_token_sign: token.slice(cut + 1),
    id_token_org: org,
    id_token_dep: dep,
    id_token_role: role,
    i18n_lang: lang,
  };
  return {
    cookie: Object.entries(cookies)
      .flatMap(([name, value]) => (value === undefined ? [] : `${name}=${encodeURIComponent(value)}`))
      .join('; '),
  };
}
