// An identity service as far as Berth sees it: keys at an address, and cookies that were signed with them.

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
  pseudoSession?: boolean;
}

export interface TestDirectory {
  url: string;
  /** How often its keys were asked for. */
  readonly asked: number;
  /** Signs from now on with another key; the earlier one is shown no more unless `keep`. */
  rotate(options?: { keep?: boolean }): Promise<void>;
  /** While it is away, its port answers nothing but 502. */
  away: boolean;
  /**
   * Signs a token.
   * @param options `expiresIn` in seconds, default an hour, null for a token without end; `key` in place of its own
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
  let asked = 0;
  let count = 0;
  let shown: JWK[] = [];
  let current: { key: CryptoKey; kid: string };
  /** Whoever a token was made for. */
  const known = {
    users: new Map<string, { id: string; name: string }>(),
    organizations: new Map<string, { id: string; name: string; departments: { id: string; name: string }[] }>(),
  };

  async function rotate({ keep = false } = {}): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const kid = `key-${++count}`;
    shown = [...(keep ? shown : []), { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }];
    current = { key: privateKey, kid };
  }
  await rotate();

  const server = createServer((request, response) => {
    asked++;
    if (directory.away) return response.writeHead(502).end('away');
    const { pathname, searchParams } = new URL(request.url ?? '/', directory.url);
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (pathname === '/directory/.well-known/jwks.json') return answer(200, { keys: shown });
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
  // Some tests stop their server and not what it asks.
  server.unref();

  const sign: TestDirectory['sign'] = (
    user,
    { expiresIn = 3600, key = current.key, kid = current.kid, claims = {} } = {},
  ) =>
    new SignJWT({ ...user, ...claims, ...(expiresIn !== null && { exp: Math.floor(Date.now() / 1000) + expiresIn }) })
      .setProtectedHeader({ alg: 'RS256', kid })
      .setIssuedAt()
      .sign(key);
  const directory: TestDirectory = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/directory`,
    get asked() {
      return asked;
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

/** Headers with a token cut in two cookies, as the identity service sets them. */
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
