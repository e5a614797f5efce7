import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  createAcme,
  createAccountsApp,
  createBrowser,
  INTERNAL_SECRET,
  PASSWORD,
  type AccountsApp,
  type Answer,
  type Browser,
} from './accounts-app.ts';

const ACME = { type: 'organization', id: 'acme' };
const INTERNAL = { 'x-secret-key': INTERNAL_SECRET };

type Call = [method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object];

const FOR_SUPERADMINS: Call[] = [
  ['POST', '/users', { email: 'new@example.org', name: 'New', password: PASSWORD }],
  ['GET', '/users'],
  ['GET', '/users/nobody'],
  ['PATCH', '/users/nobody', { name: 'N' }],
  ['DELETE', '/users/nobody'],
  ['POST', '/organizations', { id: 'new', name: 'New' }],
  ['GET', '/organizations'],
  ['PATCH', '/organizations/acme', { name: 'Acme' }],
  ['DELETE', '/organizations/nobody'],
  ['PUT', '/organizations/acme/departments/new', { name: 'New' }],
  ['DELETE', '/organizations/acme/departments/nobody'],
  ['GET', '/accounts'],
  ['GET', '/access-grants'],
  ['DELETE', '/access-grants/nobody'],
];

let it: AccountsApp;
let callers: Record<
  'stranger' | 'internal' | 'member' | 'organisation admin' | 'superadmin',
  (call: Call) => Promise<Answer>
>;

before(async () => {
  it = await createAccountsApp('sqlite');
  const admin = await it.admin();
  await createAcme(admin);
  const [mate, boss] = [await it.signIn('mate@acme.example'), await it.signIn('boss@acme.example')];
  for (const browser of [mate, boss]) await browser.send('PUT', '/session/account', ACME);
  const by =
    (browser: Browser, headers?: Record<string, string>) =>
    ([method, path, body]: Call) =>
      method === 'GET' ? browser.get(path, headers) : browser.send(method, path, body, headers);
  callers = {
    'stranger': by(createBrowser(it.app)),
    'internal': by(createBrowser(it.app), INTERNAL),
    'member': by(mate),
    'organisation admin': by(boss),
    'superadmin': by(admin),
  };
});
after(() => it.close());

for (const call of FOR_SUPERADMINS) {
  test(`${call[0]} ${call[1]} is for superadmins only`, async () => {
    assert.equal((await callers.stranger(call)).body['code'], 'unauthenticated');
    for (const who of ['internal', 'member', 'organisation admin'] as const)
      assert.equal((await callers[who](call)).body['code'], 'forbidden', who);
    assert.ok(![401, 403].includes((await callers.superadmin(call)).status));
  });
}

test('POST /access-grants is for superadmins and internal services without an account', async () => {
  const call = (id: string): Call => ['POST', '/access-grants', { account: { type: 'user', id } }];
  assert.equal((await callers.stranger(call('a'))).body['code'], 'unauthenticated');
  for (const who of ['member', 'organisation admin'] as const)
    assert.equal((await callers[who](call('a'))).body['code'], 'forbidden', who);
  for (const who of ['internal', 'superadmin'] as const)
    assert.equal((await callers[who](call(who))).status, 201, who);
  const narrowed = await createBrowser(it.app).send(
    'POST',
    '/access-grants',
    { account: ACME },
    { ...INTERNAL, 'x-account': JSON.stringify(ACME) },
  );
  assert.deepEqual([narrowed.status, narrowed.body['code']], [403, 'account_read_only']);
});

test('PUT /session/account is for every session', async () => {
  const call: Call = ['PUT', '/session/account', ACME];
  assert.equal((await callers.stranger(call)).body['code'], 'unauthenticated');
  assert.equal((await callers.internal(call)).body['code'], 'forbidden');
  for (const who of ['member', 'organisation admin', 'superadmin'] as const)
    assert.equal((await callers[who](call)).status, 200, who);
});
