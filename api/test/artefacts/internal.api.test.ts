import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, listArtefacts, patchArtefact, readDocument, uploadArtefact } from './documents.ts';

const ACCESS: Record<string, Record<string, unknown>> = {
  'public': { public: true },
  'to-acme': { privateAccess: [{ type: 'organization', id: 'acme' }] },
  'to-acme-geo': { privateAccess: [{ type: 'organization', id: 'acme', department: 'geo' }] },
  'to-uma': { privateAccess: [{ type: 'user', id: 'uma' }] },
  'to-both': {
    privateAccess: [
      { type: 'organization', id: 'other' },
      { type: 'organization', id: 'acme' },
    ],
  },
  'private': {},
};
const ALL = Object.keys(ACCESS).sort();

/** [x-account, visible artefacts]; none of these accounts has an access grant. */
const ACCOUNTS: [account: Record<string, unknown>, visible: string[]][] = [
  [{ type: 'organization', id: 'acme' }, ['public', 'to-acme', 'to-both']],
  [{ type: 'organization', id: 'acme', department: 'geo' }, ['public', 'to-acme', 'to-acme-geo', 'to-both']],
  [{ type: 'organization', id: 'acme', department: 'sea' }, ['public', 'to-acme', 'to-both']],
  [{ type: 'organization', id: 'acme', name: 'Acme', department: null }, ['public', 'to-acme', 'to-both']],
  [{ type: 'organization', id: 'other' }, ['public', 'to-both']],
  [{ type: 'organization', id: 'uma' }, ['public']],
  [{ type: 'user', id: 'uma' }, ['public', 'to-uma']],
  [{ type: 'user', id: 'acme' }, ['public']],
];

for (const dialect of DIALECTS) {
  describe(`internal access on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
      for (const [id, access] of Object.entries(ACCESS)) {
        await uploadArtefact(server, id, { file: await npmTarball({ name: id }) });
        await patchArtefact(server, id, access);
      }
    });
    after(() => server.close());

    const acting = (account: unknown) => ({
      ...server.internal,
      'x-account': typeof account === 'string' ? account : JSON.stringify(account),
    });
    const status = async (id: string, rest: string, headers: Record<string, string>) =>
      (await server.api('GET', artefactPath(id, rest), { headers })).status;

    test('without an account may see and download everything', async () => {
      assert.deepEqual(
        (await listArtefacts(server, '?sort=name')).results.map(({ _id }) => _id),
        ALL,
      );
      for (const id of ALL)
        assert.deepEqual(
          [
            await status(id, '', server.internal),
            await status(id, '/tarball', server.internal),
            await status(id, '/download', server.internal),
          ],
          [200, 200, 200],
        );
    });

    for (const [account, visible] of ACCOUNTS) {
      test(`for ${JSON.stringify(account)} covers public and shared artefacts, without a grant`, async () => {
        const headers = acting(account);
        const { results, count } = await listArtefacts(server, '?sort=name', headers);
        assert.deepEqual([results.map(({ _id }) => _id), count], [visible, visible.length]);
        for (const id of ALL) {
          const expected = visible.includes(id) ? 200 : 403;
          assert.deepEqual(
            [
              await status(id, '', headers),
              await status(id, '/tarball', headers),
              await status(id, '/download', headers),
            ],
            [expected, expected, expected],
            id,
          );
        }
      });
    }

    test('for an account gets what that account may know, and is told what is not there', async () => {
      const headers = acting({ type: 'organization', id: 'acme' });
      for (const document of [
        await readDocument(server, 'to-acme', headers),
        (await listArtefacts(server, '', headers)).results[0],
      ]) {
        assert.deepEqual(document?.privateAccess, []);
        assert.doesNotMatch(JSON.stringify(document), /uploadedBy/);
      }
      await readProblem(await server.api('GET', '/artefacts/absent', { headers }), 404, 'artefact_not_found');
    });

    test('for an account is read-only', async () => {
      const headers = acting({ type: 'organization', id: 'acme' });
      await readProblem(
        await server.upload('to-acme', { file: await npmTarball({ name: 'to-acme' }), headers }),
        403,
        'account_read_only',
      );
      await readProblem(
        await server.api('PATCH', '/artefacts/to-acme', { headers, body: { public: true } }),
        403,
        'account_read_only',
      );
      await readProblem(await server.api('DELETE', '/artefacts/to-acme', { headers }), 403, 'account_read_only');
      await readProblem(
        await server.api('DELETE', '/artefacts/to-acme/tarballs/noarch', { headers }),
        403,
        'account_read_only',
      );
      await readProblem(
        await server.api('POST', '/access-grants', {
          headers,
          body: { account: { type: 'organization', id: 'acme' } },
        }),
        403,
        'account_read_only',
      );
      assert.equal((await readDocument(server, 'to-acme')).public, false);
    });

    test('with a malformed account is rejected', async () => {
      for (const account of [
        '',
        'acme',
        '{}',
        '[]',
        'null',
        '{"type":"organization"}',
        '{"type":"team","id":"x"}',
        '{"type":"organization","id":""}',
      ]) {
        for (const path of ['/artefacts', '/artefacts/public', '/artefacts/public/tarball'])
          await readProblem(
            await server.api('GET', path, { headers: acting(account) }),
            400,
            'account_header_invalid',
          );
      }
    });

    test('is rejected through the public proxy, with any secret', async () => {
      for (const proxy of [
        { 'x-forwarded-host': 'registry.example' },
        { forwarded: 'for=192.0.2.1; host="registry.example"' },
      ]) {
        for (const secret of [server.internal, { 'x-secret-key': 'wrong' }])
          await readProblem(
            await server.api('GET', '/artefacts/public', { headers: { ...secret, ...proxy } }),
            421,
            'secret_key_through_proxy',
          );
      }
      assert.equal(
        await status('private', '', {
          ...server.internal,
          'x-forwarded-for': '192.0.2.1',
          'forwarded': 'for=192.0.2.1',
        }),
        200,
      );
    });

    test('with a wrong secret is rejected, even with a valid key or session', async () => {
      const others = [
        {},
        { 'x-api-key': await server.readKey({ type: 'organization', id: 'acme' }) },
        await server.superadmin(),
      ];
      for (const other of others) {
        for (const secret of ['wrong', 'internal-secre', 'internal-secret2', '']) {
          await readProblem(
            await server.api('GET', '/artefacts/public', { headers: { ...other, 'x-secret-key': secret } }),
            401,
            'secret_key_wrong',
          );
        }
      }
    });

    test("works at the container's own address, whatever PUBLIC_URL is", async () => {
      for (const host of ['localhost', 'berth:8080'])
        assert.equal(await status('private', '', { ...server.internal, host }), 200);
    });
  });
}

test('internal access is disabled if no secret is configured', async () => {
  const server = await startTestServer({ env: { SECRET_INTERNAL_SERVICES: '' } });
  for (const secret of ['', 'undefined', 'internal-secret'])
    await readProblem(
      await server.api('GET', '/artefacts', { headers: { 'x-secret-key': secret } }),
      401,
      'secret_key_wrong',
    );
  assert.equal((await server.api('GET', '/artefacts')).status, 200);
  await server.close();
});
