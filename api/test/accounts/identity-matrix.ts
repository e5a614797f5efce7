// People who come through an OpenID provider to users that were made in different ways, over a real server that is
// started again with other settings. identities.api.test.ts says what must come out.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DialectName } from '../../src/db/index.ts';
import { freePort } from '../support/free-port.ts';
import { startMailServer } from '../support/mail-server.ts';
import {
  Browser,
  providerSettings,
  signInThrough,
  startTestProvider,
  type TestProvider,
} from '../support/openid-provider.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { codeOf } from '../support/totp.ts';

export const ORIGINS = [
  'invited by a link that was shown',
  'invited by mail',
  'made by a superadmin',
  'made by the provider',
] as const;
export type Origin = (typeof ORIGINS)[number];

/** What the provider says about a person, and which one: the address is that of the user unless it says otherwise. */
interface Visit {
  subject?: 'another';
  address?: 'new' | 'of another user';
  isUnverified?: boolean;
  /** Default the first. */
  issuer?: Issuer;
}

type Issuer = 'first' | 'second';

/** Visits one after the other; the last one is observed. */
export const ARRIVALS = {
  'verified': [{}],
  'unverified': [{ isUnverified: true }],
  'with a changed address': [{}, { address: 'new' }],
  'with a changed, unverified address': [{}, { address: 'new', isUnverified: true }],
  'with the address of another user': [{}, { address: 'of another user' }],
  'as a second subject': [{}, { subject: 'another' }],
  'from a second issuer': [{}, { issuer: 'second' }],
  'as somebody else with the same subject at a second issuer': [{}, { issuer: 'second', address: 'new' }],
} as const satisfies Record<string, readonly Visit[]>;
export type Arrival = keyof typeof ARRIVALS;

export interface Outcome {
  /** Who the person is in the end. */
  who: 'the user' | 'somebody new' | `refused: ${string}`;
  /** What is left of what the user had before. */
  session: boolean;
  password: boolean;
  secondFactor: boolean;
  key: boolean;
  address: 'old' | 'new';
  isProved: boolean;
}

const PASSWORD = 'second mate 2';
const TAKEN = 'taken@acme.example';

/** Each visitor has an address of their own, so that the limits of sign-ins do not meet. */
class Visitor extends Browser {
  static #count = 0;
  readonly #ip = `10.0.${(Visitor.#count += 1) >> 8}.${Visitor.#count & 255}`;

  override request(url: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...(init.headers as Record<string, string>), 'x-forwarded-for': this.#ip };
    return super.request(url, { ...init, headers });
  }

  async send(url: string, body?: object): Promise<Record<string, unknown> & { status: number }> {
    const response = await this.request(url, {
      ...(body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    return { ...((await response.json()) as object), status: response.status };
  }
}

interface Known {
  id: string;
  email: string;
  sub: string;
  visitor: Visitor;
  key: string;
}

export async function observeAll(dialect: DialectName): Promise<Record<Origin, Record<Arrival, Outcome>>> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const mail = await startMailServer();
  const providers: Record<Issuer, TestProvider> = {
    first: await startTestProvider(url),
    second: await startTestProvider(url),
  };
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-identities-'));
  const database = dialect === 'postgres' ? await createTestDatabaseUrl({ migrated: true }) : undefined;
  const start = (issuer: Issuer, env: Record<string, string> = {}) =>
    startTestServer({
      dialect,
      storage: 'fs',
      dataDir,
      env: {
        ...providerSettings(providers[issuer]),
        PORT: `${port}`,
        PUBLIC_URL: url,
        TRUSTED_PROXIES: '127.0.0.1',
        API_KEYS_SALT: 'a salt of 32 characters that stays',
        CIPHER_PASSWORD: 'a password of 32 characters that stays',
        AUTH_SECRET: 'a secret of 32 characters that stays',
        ...(database && { DATABASE_URL: database.url }),
        ...env,
      },
    });

  let server: TestServer;
  const asAdmin = async <T = Record<string, string>>(method: string, path: string, body?: object): Promise<T> => {
    const response = await server.api(method, path, { headers: await server.superadmin(), body });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as T;
  };

  async function visit({ sub, email }: Known, details: Visit) {
    const { subject, address, isUnverified = false, issuer = 'first' } = details;
    const visitor = new Visitor();
    providers[issuer].user = {
      sub: subject ? `${subject} ${sub}` : sub,
      email: address === undefined ? email : address === 'new' ? `new-${email}` : TAKEN,
      email_verified: !isUnverified,
      name: 'A person',
    };
    return { at: await signInThrough(url, visitor), visitor };
  }

  async function make(origin: Origin, email: string, sub: string): Promise<void> {
    const invite = () =>
      asAdmin<{ url?: string }>('POST', '/organizations/acme/invitations', { email, role: 'member' });
    const accept = (link: string) =>
      new Visitor().send(`${url}/api/v1/invitations/accept`, {
        token: /#token=([\w-]+)/.exec(link)?.[1],
        name: 'A user',
        password: PASSWORD,
      });
    switch (origin) {
      case 'invited by a link that was shown':
        await accept((await invite()).url ?? '');
        break;
      case 'invited by mail':
        await invite();
        await accept(mail.mails.at(-1)?.text ?? '');
        break;
      case 'made by a superadmin':
        await asAdmin('POST', '/users', { email, name: 'A user', password: PASSWORD });
        break;
      case 'made by the provider':
        await visit({ email, sub } as Known, {});
        await asAdmin('PATCH', `/users/${(await find(email)).id}`, { password: PASSWORD });
    }
  }

  const find = async (email: string) =>
    (await asAdmin<{ results: { id: string }[] }>('GET', `/users?q=${email}`)).results[0] ?? assert.fail(email);

  /** Makes a user who has a session, a password, a second factor and a key. */
  async function setUp(origin: Origin, arrival: Arrival): Promise<Known> {
    const sub = `${ORIGINS.indexOf(origin)}-${Object.keys(ARRIVALS).indexOf(arrival)}`;
    const email = `user-${sub}@acme.example`;
    await make(origin, email, sub);
    const { id } = await find(email);
    const visitor = new Visitor();
    await visitor.send(`${url}/api/auth/sign-in/email`, { email, password: PASSWORD });
    const { totpURI } = await visitor.send(`${url}/api/auth/two-factor/enable`, { password: PASSWORD });
    const secret = new URL(String(totpURI)).searchParams.get('secret') ?? '';
    const verified = await visitor.send(`${url}/api/auth/two-factor/verify-totp`, { code: codeOf(secret) });
    assert.equal(verified.status, 200, JSON.stringify(verified));
    const owner = { type: 'user', id };
    await asAdmin('POST', '/access-grants', { account: owner });
    const { key } = await visitor.send(`${url}/api/v1/api-keys`, { type: 'read', name: 'mine', owner });
    return { id, email, sub, visitor, key: String(key) };
  }

  async function observe(known: Known, { at, visitor }: Awaited<ReturnType<typeof visit>>): Promise<Outcome> {
    const { id, email } = known;
    const kindOf = async (caller: Visitor, headers: Record<string, string> = {}) =>
      ((await (await caller.request(`${url}/api/v1/session`, { headers })).json()) as { kind?: string }).kind;
    const { user } = (await visitor.send(`${url}/api/v1/session`)) as { user?: { id: string } };
    const error = new URL(at).searchParams.get('error');
    const now = await asAdmin<{ email: string; emailVerified: boolean }>('GET', `/users/${id}`);
    const signIn = () => new Visitor().send(`${url}/api/auth/sign-in/email`, { email: now.email, password: PASSWORD });
    const session = (await kindOf(known.visitor)) === 'user';
    const key = (await kindOf(new Visitor(), { 'x-api-key': known.key })) === 'read-key';
    const password = (await signIn()).status === 200;
    if (!password) await asAdmin('PATCH', `/users/${id}`, { password: PASSWORD });
    return {
      who: error !== null ? `refused: ${error}` : user?.id === id ? 'the user' : 'somebody new',
      session,
      password,
      secondFactor: (await signIn())['twoFactorRedirect'] === true,
      key,
      address: now.email === email ? 'old' : 'new',
      isProved: now.emailVerified,
    };
  }

  const users = {} as Record<Origin, Record<Arrival, Known>>;
  const outcomes = {} as Record<Origin, Record<Arrival, Outcome>>;
  const arrivals = Object.keys(ARRIVALS) as Arrival[];
  async function setUpAll(origins: readonly Origin[]): Promise<void> {
    for (const origin of origins) {
      users[origin] = {} as Record<Arrival, Known>;
      outcomes[origin] = {} as Record<Arrival, Outcome>;
      for (const arrival of arrivals) users[origin][arrival] = await setUp(origin, arrival);
    }
  }
  async function visitAll(issuer: Issuer): Promise<void> {
    for (const origin of ORIGINS)
      for (const arrival of arrivals) {
        const visits: readonly Visit[] = ARRIVALS[arrival];
        for (const [index, it] of visits.entries()) {
          if ((it.issuer ?? 'first') !== issuer) continue;
          const arrived = await visit(users[origin][arrival], it);
          if (index === visits.length - 1) outcomes[origin][arrival] = await observe(users[origin][arrival], arrived);
        }
      }
  }

  try {
    server = await start('first');
    await asAdmin('POST', '/organizations', { id: 'acme', name: 'Acme' });
    await asAdmin('POST', '/users', { email: TAKEN, name: 'Another user', password: PASSWORD });
    await setUpAll(ORIGINS.slice(0, 1));
    await server.close();
    server = await start('first', { SMTP_URL: mail.url });
    await setUpAll(ORIGINS.slice(1));
    await visitAll('first');
    await server.close();
    server = await start('second');
    await visitAll('second');
    await server.close();
    return outcomes;
  } finally {
    await Promise.all([mail.stop(), providers.first.stop(), providers.second.stop()]);
    await database?.drop();
    await rm(dataDir, { recursive: true, force: true });
  }
}
