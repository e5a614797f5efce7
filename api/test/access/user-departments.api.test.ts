// A user has no departments: one that a client names beside a user does not count, wherever an account is named.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { patchArtefact } from '../artefacts/documents.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

const UMA = { type: 'user', id: 'uma' };
const NAMED = { ...UMA, department: 'geo' };

for (const dialect of DIALECTS) {
  describe(`a user with a department on ${dialect}`, () => {
    let server: TestServer;
    let superadmin: Record<string, string>;
    before(async () => {
      server = await startTestServer({ dialect });
      superadmin = await server.superadmin();
      await server.upload('shared', { file: await npmTarball() });
    });
    after(() => server.close());

    const create = async (path: string, body: unknown) => {
      const response = await server.api('POST', path, { headers: superadmin, body });
      assert.equal(response.status, 201);
      return (await response.json()) as Record<string, unknown>;
    };

    test('is the user: in access lists, x-account, grants and keys', async () => {
      const { privateAccess } = await patchArtefact(server, 'shared', { privateAccess: [NAMED, UMA] });
      assert.deepEqual(privateAccess, [UMA]);
      for (const account of [NAMED, UMA, { ...UMA, department: '' }]) {
        const headers = { ...server.internal, 'x-account': JSON.stringify(account) };
        assert.equal((await server.api('GET', '/artefacts/shared/download', { headers })).status, 200);
      }
      assert.deepEqual((await create('/access-grants', { account: NAMED }))['account'], UMA);
      const { owner, key } = await create('/api-keys', { type: 'read', name: 'hers', owner: NAMED });
      assert.deepEqual(owner, UMA);
      const headers = { 'x-api-key': String(key) };
      assert.equal((await server.api('GET', '/artefacts/shared/download', { headers })).status, 200);
    });

    test('is the user when chosen to act for', async () => {
      const { user } = (await (await server.api('GET', '/session', { headers: superadmin })).json()) as {
        user: { id: string };
      };
      const response = await server.api('PUT', '/session/account', {
        headers: superadmin,
        body: { type: 'user', id: user.id, department: 'geo' },
      });
      assert.equal(response.status, 200);
      const { account } = (await response.json()) as { account: Record<string, unknown> };
      assert.deepEqual([account['type'], account['id'], account['department']], ['user', user.id, undefined]);
    });
  });
}
