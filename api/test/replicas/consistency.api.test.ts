// Changes made at one replica are visible at all others immediately: there are no stale caches and no sticky sessions.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npmTarball } from '../support/tarball-builder.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, signIn } from '../support/test-client.ts';
import { startBalancer, type Balancer } from './balancer.ts';
import { startReplicas, type Replica, type Replicas } from './replicas.ts';

let replicas: Replicas;
let nginx: Balancer;
let one: Replica;
let others: Replica[];
let file: Buffer;

before(async () => {
  replicas = await startReplicas({ count: 3 });
  nginx = await startBalancer(replicas.all.map(({ url }) => url));
  [one, ...others] = replicas.all as [Replica, ...Replica[]];
  file = await npmTarball({ name: 'p', version: '1.0.0', files: { 'index.js': 'x' } });
});
after(async () => {
  await nginx.close();
  await replicas.close();
});

/** Sends a request to every other replica, and asserts the status of each response. */
async function othersAnswer(status: number, path: string, headers: Record<string, string>): Promise<Response[]> {
  const responses = await Promise.all(others.map((replica) => replica.api('GET', path, { headers })));
  assert.deepEqual(
    responses.map((response) => response.status),
    others.map(() => status),
    path,
  );
  return responses;
}

async function upload(id: string): Promise<void> {
  const response = await one.upload(id, { file });
  assert.equal(response.status, 201, await response.text());
}

/** Asserts the number of results that every other replica lists. */
async function othersCount(count: number, path: string): Promise<void> {
  const responses = await othersAnswer(200, path, one.internal);
  for (const response of responses) assert.equal(((await response.json()) as { count: number }).count, count);
}

describe('through nginx', () => {
  test('requests are distributed to all replicas', async () => {
    const upstreams = new Set<string | null>();
    for (let count = 0; count < 6; count++)
      upstreams.add((await fetch(`${nginx.url}/api/ping`)).headers.get('x-upstream'));
    assert.equal(upstreams.size, 3);
  });

  test('IDs with encoded slashes arrive unchanged, also with consecutive slashes', async () => {
    const key = { 'x-api-key': await one.uploadKey() };
    for (const id of ['@acme/import-gpkg@1', 'maps/europe/2026', '100%/a b+c']) {
      const form = new FormData();
      form.set('file', new Blob([file]), 'plugin.tgz');
      const path = `/api/v1/artefacts/npm/${encodeURIComponent(id)}`;
      const response = await fetch(nginx.url + path, { method: 'POST', headers: key, body: form });
      assert.equal(response.status, 201);
      assert.equal(((await response.json()) as { artefact: { _id: string } }).artefact._id, id);
    }
    const path = `/artefacts/${encodeURIComponent('https://registry.example.org/a//b')}`;
    const [direct, proxied] = [await one.api('GET', path), await fetch(`${nginx.url}/api/v1${path}`)];
    const problem = async (response: Response) => ({ ...((await response.json()) as object), requestId: '' });
    assert.equal(proxied.status, direct.status);
    assert.deepEqual(await problem(proxied), await problem(direct));
  });

  test('a session works at all replicas until it is signed out', async () => {
    const session = await signIn(nginx.url, ADMIN_EMAIL, ADMIN_PASSWORD);
    for (let count = 0; count < 6; count++) {
      const { user } = (await (await fetch(`${nginx.url}/api/v1/session`, { headers: session })).json()) as {
        user: { email: string };
      };
      assert.equal(user.email, ADMIN_EMAIL);
    }
    const signedOut = await fetch(`${nginx.url}/api/auth/sign-out`, { method: 'POST', headers: session });
    assert.equal(signedOut.status, 200);
    for (const replica of replicas.all) {
      assert.equal(
        ((await (await replica.api('GET', '/session', { headers: session })).json()) as { kind: string }).kind,
        'anonymous',
      );
    }
  });
});

describe('immediately at all replicas', () => {
  test('an upload and its deletion show in documents, lists and counts', async () => {
    await othersCount(0, '/artefacts?q=coming');
    await upload('coming');
    await othersCount(1, '/artefacts?q=coming');
    for (const response of await othersAnswer(200, '/artefacts/coming/tarball', one.internal))
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), file);
    assert.equal((await one.api('DELETE', '/artefacts/coming', { headers: one.internal })).status, 204);
    await othersAnswer(404, '/artefacts/coming', one.internal);
    await othersAnswer(404, '/artefacts/coming/tarball', one.internal);
    await othersCount(0, '/artefacts?q=coming');
  });

  test('a change of visibility takes effect', async () => {
    await upload('shown');
    await othersAnswer(404, '/artefacts/shown', {});
    for (const [isPublic, status] of [
      [true, 200],
      [false, 404],
    ] as const) {
      await one.api('PATCH', '/artefacts/shown', { headers: one.internal, body: { public: isPublic } });
      await othersAnswer(status, '/artefacts/shown', {});
    }
  });

  test('a key works until it is revoked', async () => {
    const key = await one.uploadKey();
    await othersAnswer(200, '/session', { 'x-api-key': key });
    const { results } = (await (
      await one.api('GET', '/api-keys?type=upload&size=1000', { headers: await one.superadmin() })
    ).json()) as { results: { _id: string; shortId: string }[] };
    const created = results.find(({ shortId }) => key.startsWith(`reg_${shortId}_`));
    assert.ok(created);
    assert.equal(
      (await one.api('DELETE', `/api-keys/${created._id}`, { headers: await one.superadmin() })).status,
      204,
    );
    await othersAnswer(401, '/session', { 'x-api-key': key });
  });

  test('a grant allows downloads until it is revoked', async () => {
    await upload('granted');
    await one.api('PATCH', '/artefacts/granted', { headers: one.internal, body: { public: true } });
    const key = { 'x-api-key': await one.readKey({ type: 'organization', id: 'acme' }) };
    await othersAnswer(200, '/artefacts/granted/tarball', key);
    const { results } = (await (
      await one.api('GET', '/access-grants', { headers: await one.superadmin() })
    ).json()) as { results: { _id: string }[] };
    for (const { _id } of results)
      await one.api('DELETE', `/access-grants/${_id}`, { headers: await one.superadmin() });
    await othersAnswer(403, '/artefacts/granted/tarball', key);
  });

  test('a user is signed in, acts for the chosen account, and is signed out when disabled', async () => {
    const admin = await one.superadmin();
    const created = async (method: string, path: string, body: unknown) =>
      (await one.api(method, path, { headers: admin, body })).json() as Promise<{ id: string }>;
    await created('POST', '/organizations', { id: 'globex', name: 'Globex' });
    const { id } = await created('POST', '/users', {
      email: 'mate@globex.example',
      name: 'Mate',
      password: 'second mate 2',
    });
    await created('PUT', `/organizations/globex/members/${id}`, { role: 'admin' });
    const session = await signIn(one.url, 'mate@globex.example', 'second mate 2');
    await one.api('PUT', '/session/account', { headers: session, body: { type: 'organization', id: 'globex' } });
    for (const response of await othersAnswer(200, '/session', session)) {
      assert.deepEqual(((await response.json()) as { account: { id: string } }).account.id, 'globex');
    }
    await one.api('DELETE', `/organizations/globex/members/${id}`, { headers: admin });
    for (const response of await othersAnswer(200, '/session', session)) {
      assert.deepEqual(((await response.json()) as { account: { type: string } }).account.type, 'user');
    }
    assert.equal((await one.api('PATCH', `/users/${id}`, { headers: admin, body: { disabled: true } })).status, 200);
    for (const response of await othersAnswer(200, '/session', session))
      assert.equal(((await response.json()) as { kind: string }).kind, 'anonymous');
  });

  test('sign-in attempts of an address are counted together', async () => {
    const statuses: number[] = [];
    for (let count = 0; count < 30; count++) {
      const { url } = replicas.all[count % 3]!;
      const response = await fetch(`${url}/api/auth/sign-in/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email: 'nobody@example.org', password: 'guess' }),
      });
      await response.text();
      statuses.push(response.status);
    }
    assert.ok(statuses.filter((status) => status !== 429).length <= 20, statuses.join(' '));
    assert.deepEqual(statuses.slice(-3), [429, 429, 429]);
  });
});
