// Writing routes of accounts and API keys.

import {
  asRoot,
  create,
  fresh,
  NEEDS_ONLY_SESSION,
  OF_ACME,
  ROOT,
  row,
  type Prepared,
  type WriteRow,
} from './meanwhile-row.ts';

const ACME = { type: 'organization', id: 'acme' } as const;
/** Whoever does not act for the owner of a key, and is no superadmin, does not see it. */
const HIDDEN_KEY = { refusals: { demoted: '404 api_key_not_found', removed: '404 api_key_not_found' } };

async function organization(it: Prepared): Promise<string> {
  const id = `o-${fresh()}`;
  await asRoot(it, 'POST', '/organizations', { id, name: 'Organisation' });
  return id;
}

/** Creates acme if it is missing; with an access grant and one member. */
async function acmeMember(it: Prepared): Promise<string> {
  await it.app.acmeAdmin();
  await it.app.api('POST', '/access-grants', { headers: it.app.internal, body: { account: ACME } });
  const { id } = await it.app.user('user');
  await asRoot(it, 'PUT', `/organizations/acme/members/${id}`, { role: 'member' });
  return id;
}

async function readKey(it: Prepared): Promise<string> {
  await acmeMember(it);
  return (await asRoot(it, 'POST', '/api-keys', { type: 'read', name: 'reader', owner: ACME }))['_id'] ?? '';
}

async function invitation(it: Prepared, email: string): Promise<Record<string, string>> {
  await it.app.acmeAdmin();
  return asRoot(it, 'POST', '/organizations/acme/invitations', { email, role: 'member' });
}

export const ACCOUNT_ROWS: WriteRow[] = [
  row(
    'PUT /session/account',
    ROOT,
    async (_it, { id }) => ({ path: '/session/account', body: { type: 'user', id } }),
    NEEDS_ONLY_SESSION,
  ),
  row('DELETE /sessions', ROOT, async () => ({ path: '/sessions' }), NEEDS_ONLY_SESSION),
  row(
    'DELETE /sessions/{id}',
    ROOT,
    async ({ app }, { id }) => ({ path: `/sessions/${(await app.session(id)).id}` }),
    NEEDS_ONLY_SESSION,
  ),
  row(
    'POST /invitations/accept',
    ROOT,
    async (it, { email }) => {
      const { url = '' } = await invitation(it, email);
      return { path: '/invitations/accept', body: { token: url.split('token=')[1] } };
    },
    NEEDS_ONLY_SESSION,
  ),

  create('POST /users', ROOT, () => ({ email: `${fresh()}@example.org`, name: 'New', password: 'correct horse' })),
  row('PATCH /users/{id}', ROOT, async ({ app }) => ({
    path: `/users/${(await app.user('user')).id}`,
    body: { isAdmin: true },
  })),
  row('DELETE /users/{id}', ROOT, async ({ app }) => ({ path: `/users/${(await app.user('user')).id}` })),
  row('POST /users/{id}/password-link', ROOT, async ({ app }) => ({
    path: `/users/${(await app.user('user')).id}/password-link`,
  })),
  row('DELETE /users/{id}/provider-link', ROOT, async ({ app }) => {
    const { id } = await app.user('user');
    const now = new Date();
    await app.database.db
      .insertInto('account')
      .values({ id: fresh(), accountId: fresh(), providerId: 'oidc', userId: id, createdAt: now, updatedAt: now })
      .execute();
    return { path: `/users/${id}/provider-link` };
  }),

  create('POST /organizations', ROOT, () => ({ id: `o-${fresh()}`, name: 'New' })),
  row('PATCH /organizations/{id}', ROOT, async (it) => ({
    path: `/organizations/${await organization(it)}`,
    body: { name: 'Renamed' },
  })),
  row('DELETE /organizations/{id}', ROOT, async (it) => ({ path: `/organizations/${await organization(it)}` })),
  row('PUT /organizations/{id}/departments/{department}', ROOT, async (it) => ({
    path: `/organizations/${await organization(it)}/departments/geo`,
    body: { name: 'Geo' },
  })),
  row('DELETE /organizations/{id}/departments/{department}', ROOT, async (it) => {
    const path = `/organizations/${await organization(it)}/departments/geo`;
    await asRoot(it, 'PUT', path, { name: 'Geo' });
    return { path };
  }),
  row('PUT /organizations/{id}/members/{userId}', OF_ACME, async (it) => ({
    path: `/organizations/acme/members/${await acmeMember(it)}`,
    body: { role: 'admin' },
  })),
  row('DELETE /organizations/{id}/members/{userId}', OF_ACME, async (it) => ({
    path: `/organizations/acme/members/${await acmeMember(it)}`,
  })),
  row('POST /organizations/{id}/invitations', OF_ACME, async (it) => {
    await it.app.acmeAdmin();
    return {
      path: '/organizations/acme/invitations',
      body: { email: `${fresh()}@example.org`, role: 'admin' },
    };
  }),
  row('DELETE /organizations/{id}/invitations/{invitation}', OF_ACME, async (it) => ({
    path: `/organizations/acme/invitations/${(await invitation(it, `${fresh()}@example.org`))['id']}`,
  })),

  create('POST /access-grants', ROOT, () => ({ account: { type: 'user', id: fresh() } })),
  row('DELETE /access-grants/{id}', ROOT, async (it) => {
    const { _id: id } = await asRoot(it, 'POST', '/access-grants', { account: { type: 'user', id: fresh() } });
    return { path: `/access-grants/${id}` };
  }),

  create('POST /api-keys', ROOT, () => ({ type: 'upload', name: 'CI' })),
  row('POST /api-keys', OF_ACME, async (it) => {
    await acmeMember(it);
    return { path: '/api-keys', body: { type: 'read', name: 'reader', owner: ACME } };
  }),
  row(
    'POST /api-keys/{id}/rotate',
    OF_ACME,
    async (it) => ({
      path: `/api-keys/${await readKey(it)}/rotate`,
      body: {},
    }),
    HIDDEN_KEY,
  ),
  row('DELETE /api-keys/{id}', OF_ACME, async (it) => ({ path: `/api-keys/${await readKey(it)}` }), HIDDEN_KEY),
];
