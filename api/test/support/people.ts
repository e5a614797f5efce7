// Test users for each way to sign in: the superadmin, and members of organisations.

import assert from 'node:assert/strict';
import type { TestDirectory } from './directory.ts';

export type Headers = Record<string, string>;

export interface People {
  /** Headers of a session of the first superadmin. */
  superadmin(): Promise<Headers>;
  /** Headers of a session in which a new user acts for an organisation, which is created if missing. */
  member(organization: string, role: 'admin' | 'member'): Promise<Headers>;
}

export const ADMIN_EMAIL = 'admin@example.org';
export const ADMIN_PASSWORD = 'correct horse battery';
const PASSWORD = 'second mate 2';

/**
 * Creates users of the registry itself through its API.
 * @param url of a server whose first superadmin is ADMIN_EMAIL
 */
export function localPeople(url: string): People {
  let session: Promise<Headers> | undefined;
  let count = 0;
  const superadmin = () => (session ??= signIn(url, ADMIN_EMAIL, ADMIN_PASSWORD));
  const send = async (method: string, path: string, body: unknown, headers: Headers) =>
    fetch(`${url}/api/v1${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const create = async (method: string, path: string, body: unknown): Promise<{ id: string }> => {
    const response = await send(method, path, body, await superadmin());
    const text = await response.text();
    assert.ok(response.ok, text);
    return JSON.parse(text) as { id: string };
  };
  return {
    superadmin,
    async member(organization, role) {
      const response = await send(
        'POST',
        '/organizations',
        { id: organization, name: organization },
        await superadmin(),
      );
      assert.ok([201, 409].includes(response.status), await response.text());
      const email = `${role}-${++count}@${organization}.example`;
      const { id } = await create('POST', '/users', { email, name: role, password: PASSWORD });
      await create('PUT', `/organizations/${organization}/members/${id}`, { role });
      const headers = await signIn(url, email, PASSWORD);
      const chosen = await send('PUT', '/session/account', { type: 'organization', id: organization }, headers);
      assert.equal(chosen.status, 200, await chosen.text());
      return headers;
    },
  };
}

/** Creates users of an identity service. */
export function directoryPeople(directory: TestDirectory): People {
  let count = 0;
  return {
    superadmin: () =>
      directory.cookies({ id: 'admin', name: 'Administrator', email: ADMIN_EMAIL, isAdmin: true, adminMode: true }),
    member(organization, role) {
      const id = `${organization}-${role}-${++count}`;
      return directory.cookies(
        {
          id,
          name: role,
          email: `${id}@example.org`,
          organizations: [{ id: organization, name: organization, role: role === 'member' ? 'user' : role }],
        },
        { org: organization },
      );
    },
  };
}

/** Signs in and returns the headers of the session. */
export async function signIn(url: string, email: string, password: string): Promise<Headers> {
  const response = await fetch(`${url}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  if (!response.ok) throw new Error(`sign-in of ${email}: ${response.status} ${await response.text()}`);
  return {
    cookie: response.headers
      .getSetCookie()
      .map((cookie) => cookie.split(';', 1)[0])
      .join('; '),
  };
}
