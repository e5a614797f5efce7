import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../support/test-server.ts';

const PASSWORD = 'second mate 2';

test('the tokens of invitations and password links stay out of URLs that are sent, and out of the log', async (t) => {
  const server = await startTestServer({ env: { LOG_LEVEL: 'trace' } });
  t.after(() => server.close());
  const json = async (method: string, path: string, body?: object, headers = {}) => {
    const response = await fetch(`${server.url}/api${path}`, {
      method,
      headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };
  const admin = await server.superadmin();
  const tokenIn = ({ pathname, search, hash }: URL, path: string) => {
    assert.deepEqual([pathname, search], [path, '']);
    return new URLSearchParams(hash.slice(1)).get('token') ?? assert.fail(hash);
  };
  await json('POST', '/v1/organizations', { id: 'acme', name: 'Acme' }, admin);
  const invitation = { email: 'uma@acme.example', role: 'member' };
  const { body: invited } = await json('POST', '/v1/organizations/acme/invitations', invitation, admin);
  const invitationToken = tokenIn(new URL(invited['url'] ?? ''), '/invitation');
  assert.equal((await json('POST', '/v1/invitations/find', { token: invitationToken })).status, 200);
  const acceptance = { token: invitationToken, name: 'Uma', password: PASSWORD };
  assert.equal((await json('POST', '/v1/invitations/accept', acceptance)).status, 200);
  const { body: users } = await json('GET', '/v1/users?q=uma', undefined, admin);
  const [{ id }] = users['results'] as unknown as [{ id: string }];
  const { body: link } = await json('POST', `/v1/users/${id}/password-link`, undefined, admin);
  const resetToken = tokenIn(new URL(link['url'] ?? ''), '/reset-password');
  const reset = { token: resetToken, newPassword: PASSWORD };
  assert.equal((await json('POST', '/auth/reset-password', reset)).status, 200);

  const log = server.logs.join('');
  for (const path of ['/api/v1/invitations/accept', '/password-link', '/api/auth/reset-password'])
    assert.ok(log.includes(path), path);
  for (const token of [invitationToken, resetToken]) assert.ok(!log.includes(token));
  for (const path of [`/v1/invitations/${invitationToken}`, `/auth/reset-password/${resetToken}?callbackURL=/`])
    assert.equal((await json('GET', path)).status, 404);
});
