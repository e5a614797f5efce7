// An app with only the accounts slice, on SQLite or PostgreSQL, and browsers that sign in to it.

import assert from 'node:assert/strict';
import type { FastifyInstance } from 'fastify';
import { registerActor } from '../../src/access/index.ts';
import { createAccounts, type Accounts, type AccountsOptions } from '../../src/accounts/index.ts';
import type { AuditEventsTable, Database, DialectName } from '../../src/db/index.ts';
import { createHttpServer } from '../../src/http/index.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { openTestDatabase } from '../support/test-database.ts';

export const SECRET = 'kJ3n-0dVw8YhQ2sZ5xRb7uTcLf1mPe4A';
export const INTERNAL_SECRET = 'between-services';
export const ADMIN = { email: 'admin@localhost', password: 'first mate 1' };
export const PASSWORD = 'second mate 2';

export interface AccountsApp {
  app: FastifyInstance;
  accounts: Accounts;
  database: Database;
  /** Signs in as the first superadmin. */
  admin(): Promise<Browser>;
  signIn(email: string, password?: string): Promise<Browser>;
  close(): Promise<void>;
}

/** A response: status, parsed JSON body, headers. */
export interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Record<string, string | string[] | number | undefined>;
}

export interface Browser {
  /** Cookie header that the browser sends, updated from responses. */
  cookie: string;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  send(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
}

export async function createAccountsApp(
  dialect: DialectName,
  options: Partial<AccountsOptions> = {},
): Promise<AccountsApp> {
  const { database, close } = await openTestDatabase(dialect);
  const publicUrl = options.publicUrl ?? 'http://localhost';
  const accounts = createAccounts({
    database,
    publicUrl,
    secret: SECRET,
    signInsPerMinute: 1000,
    passwords: FAST_PASSWORDS,
    ...options,
  });
  const app = createHttpServer({
    basePath: new URL(publicUrl).pathname.replace(/\/$/, ''),
    trustedProxies: ['127.0.0.1'],
    logLevel: 'silent',
  });
  await app.register(
    async (v1) => {
      registerActor(v1, {
        session: accounts.authenticateSession,
        reloadSession: accounts.reloadSession,
        apiKey: () => Promise.resolve(undefined),
        reloadApiKey: () => Promise.resolve(undefined),
        countUnknownKey: () => Promise.resolve(),
        internalSecret: INTERNAL_SECRET,
        publicUrl,
      });
      accounts.registerSessionCookies(v1);
      await v1.register(accounts.routes);
    },
    { prefix: '/api/v1' },
  );
  await app.register(accounts.authRoutes, { prefix: '/api/auth' });
  await accounts.createFirstSuperadmin(ADMIN);
  const signIn = async (email: string, password = PASSWORD): Promise<Browser> => {
    const browser = createBrowser(app);
    const { status, body } = await browser.send('POST', '/api/auth/sign-in/email', { email, password });
    if (status !== 200) throw new Error(`signing in as ${email} failed with ${status}: ${JSON.stringify(body)}`);
    return browser;
  };
  return {
    app,
    accounts,
    database,
    signIn,
    admin: () => signIn(ADMIN.email, ADMIN.password),
    async close() {
      await app.close();
      await accounts.close();
      await close();
    },
  };
}

/** Creates a user through the API and returns their ID. */
export async function createUser(admin: Browser, email: string, more: Record<string, unknown> = {}): Promise<string> {
  const { status, body } = await admin.send('POST', '/users', {
    email,
    name: email.split('@')[0],
    password: PASSWORD,
    ...more,
  });
  assert.equal(status, 201, JSON.stringify(body));
  return body['id'] as string;
}

/**
 * Creates the organisation acme with the departments geo and sea. Its members are boss (an admin), mate (in no
 * department) and diver (in sea).
 */
export async function createAcme(admin: Browser): Promise<{ boss: string; mate: string; diver: string }> {
  await admin.send('POST', '/organizations', { id: 'acme', name: 'Acme' });
  for (const [id, name] of [
    ['geo', 'Geography'],
    ['sea', 'Sea'],
  ])
    await admin.send('PUT', `/organizations/acme/departments/${id}`, { name });
  const [boss, mate, diver] = [
    await createUser(admin, 'boss@acme.example'),
    await createUser(admin, 'mate@acme.example'),
    await createUser(admin, 'diver@acme.example'),
  ];
  const memberships = {
    [boss]: { role: 'admin' },
    [mate]: { role: 'member' },
    [diver]: { role: 'member', departments: ['sea'] },
  };
  for (const [id, membership] of Object.entries(memberships))
    assert.equal((await admin.send('PUT', `/organizations/acme/members/${id}`, membership)).status, 200);
  return { boss, mate, diver };
}

/** Returns the audit events, oldest first. */
export function auditOf({ db }: Database): Promise<AuditEventsTable[]> {
  return db.selectFrom('audit_events').selectAll().orderBy('at').orderBy('id').execute();
}

/** Creates a client with a cookie jar; paths are relative to /api/v1 unless they start with /api. */
export function createBrowser(app: FastifyInstance, cookie = ''): Browser {
  const request = async (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await app.inject({
      method,
      url: path.startsWith('/api') ? path : `/api/v1${path}`,
      headers: { ...(browser.cookie !== '' && { cookie: browser.cookie }), ...headers },
      ...(body !== undefined && { payload: body as object }),
    });
    for (const { name, value, maxAge } of response.cookies)
      browser.cookie = maxAge === 0 ? without(browser.cookie, name) : withCookie(browser.cookie, name, value);
    return {
      status: response.statusCode,
      body: response.body === '' ? {} : response.json(),
      headers: response.headers,
    };
  };
  const browser: Browser = {
    cookie,
    get: (path, headers) => request('GET', path, undefined, headers),
    send: request,
  };
  return browser;
}

function without(cookies: string, name: string): string {
  return cookies
    .split('; ')
    .filter((pair) => pair !== '' && !pair.startsWith(`${name}=`))
    .join('; ');
}

function withCookie(cookies: string, name: string, value: string): string {
  return [without(cookies, name), `${name}=${encodeURIComponent(value)}`].filter((part) => part !== '').join('; ');
}
