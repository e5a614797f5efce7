import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { uploaded } from './documents.ts';

const hexOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const NOARCH = await npmTarball({ version: '1.0.0' });
const X64 = await npmTarball({ version: '2.0.0' });
const [MAP, OTHER_MAP] = [randomBytes(1_300_000), randomBytes(1000)];

function pathOf(...slots: string[]): string { return `/downloads?${new URLSearchParams(slots.map((slot): [string, string] => ['slot', slot])).toString()}`; }

async function publish(server: TestServer): Promise<void> {
  await uploaded(server, '@acme/both@1', { file: NOARCH });
  await uploaded(server, '@acme/both@1', { file: X64, fields: { architecture: 'x64' } });
  await uploaded(server, 'maps/france', { format: 'file', file: MAP });
  await uploaded(server, 'maps/corsica', { format: 'file', file: OTHER_MAP });
  await uploaded(server, 'maps/empty', { format: 'file', file: new Uint8Array() });
}

for (const dialect of DIALECTS) {
  describe(`a download of many slots, on ${dialect},`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
      await publish(server);
    });
    after(() => server.close());

    const get = (slots: string[], headers: Record<string, string> = server.internal) => server.api('GET', pathOf(...slots), { headers });

    test('has the bytes of each, in the order in which they are asked for, and says what is in it', async () => {
      const response = await get([':maps/france', 'x64:@acme/both@1', ':maps/empty', 'noarch:@acme/both@1', ':maps/france']);
      assert.equal(response.status, 200);
      const expected = [MAP, X64, new Uint8Array(), NOARCH, MAP];
      assert.equal(response.headers.get('berth-parts'), expected.map((bytes, index) => `${index}:${bytes.length}:${hexOf(bytes)}`).join(', '));
      assert.equal(response.headers.get('content-length'), String(expected.reduce((sum, { length }) => sum + length, 0)));
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(Buffer.concat(expected)));
    });

    test('leaves out what is not there, and never takes another architecture', async () => {
      const response = await get([':nowhere', 'arm64:@acme/both@1', ':@acme/both@1', ':maps/corsica']);
      assert.equal(response.headers.get('berth-parts'), `3:${OTHER_MAP.length}:${hexOf(OTHER_MAP)}`);
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), OTHER_MAP);
      const nothing = await get([':nowhere']);
      assert.deepEqual([nothing.status, nothing.headers.get('berth-parts'), await nothing.text()], [200, '', '']);
    });

    test('leaves out what the caller may not see', async () => {
      const headers = { 'x-api-key': await server.readKey({ type: 'organization', id: 'acme' }) };
      assert.equal((await get([':maps/france', ':maps/corsica'], headers)).headers.get('berth-parts'), '');
      assert.equal((await server.api('PATCH', '/artefacts/maps%2Fcorsica', { headers: server.internal, body: { privateAccess: [{ type: 'organization', id: 'acme' }] } })).status, 200);
      assert.match((await get([':maps/france', ':maps/corsica'], headers)).headers.get('berth-parts') ?? '', /^1:1000:[0-9a-f]{64}$/);
    });

    test('is of slots by their names', async () => {
      for (const slot of ['nonsense', '', ':', 'X64:plugin', ':a\0b']) await readProblem(await get([':maps/corsica', slot]), 400, 'request_invalid');
    });

    test('is of one slot at least, and of 64 at most', async () => {
      await readProblem(await server.api('GET', '/downloads', { headers: server.internal }), 400, 'request_invalid');
      await readProblem(await get(Array.from({ length: 65 }, () => ':maps/empty')), 400, 'request_invalid');
      assert.equal((await get(Array.from({ length: 64 }, () => ':maps/empty'))).status, 200);
    });

    test('counts as one of each', async () => {
      const downloads = async () => {
        const response = await server.api('GET', '/stats?artefact=maps%2Fcorsica', { headers: await server.superadmin() });
        return (await response.json() as { results: { downloads: number }[] }).results.reduce((sum, day) => sum + day.downloads, 0);
      };
      const before = await downloads();
      await (await get([':maps/corsica', ':maps/empty'])).arrayBuffer();
      await eventually(async () => { assert.equal(await downloads(), before + 1); });
    });

    test('says that bytes are lost before the first one, and is cut short where that shows later', async () => {
      await query(server, `update blobs set state = 'damaged' where digest = 'sha256:${hexOf(OTHER_MAP)}'`);
      await readProblem(await get([':maps/corsica', ':maps/france']), 500, 'blob_missing');
      const cut = await get([':maps/france', ':maps/corsica']);
      await assert.rejects(cut.arrayBuffer());
      await query(server, `update blobs set state = 'sound' where digest = 'sha256:${hexOf(OTHER_MAP)}'`);
    });
  });
}

for (const dialect of DIALECTS) {
  test(`a download of many slots from S3, with ${dialect}, leaves the files to the storage where that serves them itself`, async () => {
    for (const [redirects, expected] of [['true', [NOARCH]], ['false', [MAP, NOARCH]]] as const) {
      const server = await startTestServer({ dialect, storage: 's3', env: { S3_REDIRECT: redirects } });
      await publish(server);
      const response = await server.api('GET', pathOf(':maps/france', 'noarch:@acme/both@1'), { headers: server.internal });
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(Buffer.concat(expected)));
      await server.close();
    }
  });
}
