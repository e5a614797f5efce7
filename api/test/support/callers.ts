// Headers of every kind of caller, for tests of who may read what.

import assert from 'node:assert/strict';
import { signIn, type TestServer } from './test-server.ts';

export type Headers = Record<string, string>;

/** Acme and globex have an access grant, initech has none; each has members or services of its own. */
export type CallerName = 'anonymous' | 'an upload key' | 'an internal service' | 'an internal service for acme' | 'an internal service for globex' | 'a superadmin'
  | 'a read key of acme' | 'a read key of globex' | 'a member of acme' | 'a member of initech';
export type Callers = Record<CallerName, Headers>;

const PASSWORD = 'second mate 2';

export async function createCallers(server: TestServer): Promise<Callers> {
  const memberOfAcme = await createMember(server, 'acme');
  return {
    'anonymous': {},
    'an upload key': { 'x-api-key': await server.uploadKey() },
    'an internal service': server.internal,
    'an internal service for acme': forAccount(server, 'acme'),
    'an internal service for globex': forAccount(server, 'globex'),
    'a superadmin': await server.superadmin(),
    'a read key of acme': { 'x-api-key': await server.readKey({ type: 'organization', id: 'acme' }) },
    'a read key of globex': { 'x-api-key': await server.readKey({ type: 'organization', id: 'globex' }) },
    'a member of acme': memberOfAcme,
    'a member of initech': await createMember(server, 'initech'),
  };
}

/** Creates an organisation with one user, an admin of it, and returns the headers of his session, in which he acts for it. */
export async function createMember(server: TestServer, organization: string): Promise<Headers> {
  const email = `boss@${organization}.example`;
  await created(server, 'POST', '/organizations', { id: organization, name: organization });
  const { id } = await created(server, 'POST', '/users', { email, name: 'Boss', password: PASSWORD }) as { id: string };
  await created(server, 'PUT', `/organizations/${organization}/members/${id}`, { role: 'admin' });
  const headers = await signIn(server.url, email, PASSWORD);
  const chosen = await server.api('PUT', '/session/account', { headers, body: { type: 'organization', id: organization } });
  assert.equal(chosen.status, 200, await chosen.text());
  return headers;
}

function forAccount({ internal }: TestServer, id: string): Headers {
  return { ...internal, 'x-account': JSON.stringify({ type: 'organization', id }) };
}

async function created(server: TestServer, method: string, path: string, body: unknown): Promise<unknown> {
  const response = await server.api(method, path, { headers: await server.superadmin(), body });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text);
}
