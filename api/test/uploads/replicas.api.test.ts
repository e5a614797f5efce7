import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readDocument } from '../artefacts/documents.ts';
import { inThisRun } from '../support/combinations.ts';
import { digestOf } from '../support/digests.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { createTestS3, type TestS3 } from '../support/s3.ts';
import { openConnection, requestHead, type RawConnection } from '../support/raw-http.ts';
import { assertTidy, query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { createUpload, INTERNAL, offsetOf, patchUpload, tusRequest } from './tus-client.ts';

const MIB = 1024 * 1024;
const FILE = randomBytes(6 * MIB);
const TARBALL = await npmTarball({ name: 'shared', files: { 'data': FILE, 'index.js': 'x' } });

for (const storage of inThisRun(['fs', 's3'] as const))
  describe(`two replicas on one PostgreSQL and one storage (${storage})`, () => {
    let dataDir: string;
    let drop: () => Promise<void>;
    let replicas: TestServer[];
    let s3: TestS3 | undefined;
    before(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'berth-test-'));
      const database = await createTestDatabaseUrl();
      ({ drop } = database);
      replicas = [];
      s3 = storage === 's3' ? await createTestS3() : undefined;
      const env = { DATABASE_URL: database.url, ...s3?.env };
      for (let index = 0; index < 2; index++)
        replicas.push(await startTestServer({ dialect: 'postgres', storage: 'fs', dataDir, env }));
    });
    after(async () => {
      for (const replica of replicas) await replica.close();
      await drop();
      await s3?.remove();
      await rm(dataDir, { recursive: true, force: true });
    });

    const at = (index: number, url: string) => `${replicas[index % 2]!.url}${new URL(url).pathname}`;

    /** Asserts that there are no writers, and that the storage only contains blobs. */
    async function assertNothingElse(): Promise<void> {
      if (!s3) return assertTidy(replicas[0]!);
      const testS3 = s3;
      await eventually(async () => {
        assert.deepEqual(await query(replicas[0]!, 'select storage_key from blob_writers'), []);
        assert.equal(
          (await testS3.leftovers()).length,
          (await query(replicas[0]!, 'select digest from blobs')).length,
        );
      });
    }

    async function beginPatch(
      url: string,
      offset: number,
      part: Uint8Array,
      announced: number,
    ): Promise<RawConnection> {
      const connection = await openConnection(url);
      await connection.send(
        requestHead('PATCH', new URL(url).pathname, {
          ...INTERNAL,
          'tus-resumable': '1.0.0',
          'upload-offset': offset,
          'content-type': 'application/offset+octet-stream',
          'content-length': announced,
        }),
      );
      await connection.send(part);
      return connection;
    }

    for (const [format, file] of [
      ['file', FILE],
      ['npm', TARBALL],
    ] as const) {
      test(`can receive one upload of ${format} in turns`, async () => {
        const url = await createUpload(replicas[0]!, `turns-${format}`, file.length, { format });
        let offset = 0;
        for (let turn = 0; offset < file.length; turn++) {
          const response = await patchUpload(at(turn, url), offset, file.subarray(offset, offset + 700_000));
          assert.equal(response.status, 204, await response.text());
          offset = Number(response.headers.get('upload-offset'));
          assert.equal(await offsetOf(at(turn + 1, url)), offset);
        }
        for (const replica of replicas) {
          const document = await readDocument(replica, `turns-${format}`);
          assert.equal(format === 'npm' ? document.tarballs?.['noarch']?.digest : document.digest, digestOf(file));
        }
        if (format === 'npm') {
          const { results } = (await (
            await replicas[1]!.api('GET', '/artefacts/turns-npm/files', { headers: INTERNAL })
          ).json()) as { results: { path: string }[] };
          assert.deepEqual(results.map(({ path }) => path).sort(), ['data', 'index.js', 'package.json']);
        }
        await assertNothingElse();
      });
    }

    test('take over an upload whose disconnected client the other replica still waits for', async () => {
      const url = await createUpload(replicas[0]!, 'stalled', FILE.length);
      const stalled = await beginPatch(url, 0, FILE.subarray(0, 2 * MIB), FILE.length);
      await eventually(async () =>
        assert.equal(
          (
            await query(
              replicas[0]!,
              `select id from resumable_uploads where artefact_id = 'stalled' and received is null`,
            )
          ).length,
          1,
        ),
      );
      await sleep(200);
      const offset = await offsetOf(at(1, url));
      assert.equal(offset, 2 * MIB);
      assert.equal((await stalled.answer()).status, 423);
      stalled.end();
      assert.equal((await patchUpload(at(1, url), offset, FILE.subarray(offset))).status, 204);
      assert.equal((await readDocument(replicas[0]!, 'stalled')).digest, digestOf(FILE));
    });

    test('reject a second request while the first one is sending', async () => {
      const url = await createUpload(replicas[0]!, 'busy', FILE.length);
      const busy = await beginPatch(url, 0, FILE.subarray(0, MIB), FILE.length);
      await eventually(async () =>
        assert.equal(
          (
            await query(
              replicas[0]!,
              `select id from resumable_uploads where artefact_id = 'busy' and received is null`,
            )
          ).length,
          1,
        ),
      );
      const sending = (async () => {
        for (let offset = MIB; offset < FILE.length; offset += 50_000) {
          await busy.send(FILE.subarray(offset, offset + 50_000));
          await sleep(80);
        }
      })();
      const responses = await Promise.all([0, 1].map((index) => tusRequest('HEAD', at(index, url))));
      assert.deepEqual(
        responses.map(({ status }) => status),
        [423, 423],
      );
      assert.ok(responses[0]?.headers.get('retry-after'));
      await sending;
      assert.equal((await busy.answer()).status, 204);
      busy.end();
      assert.equal((await readDocument(replicas[1]!, 'busy')).digest, digestOf(FILE));
    });

    test('can cancel an upload that the other replica has received', async () => {
      const url = await createUpload(replicas[0]!, 'ended', FILE.length);
      await patchUpload(url, 0, FILE.subarray(0, MIB));
      assert.equal((await tusRequest('DELETE', at(1, url))).status, 204);
      assert.equal((await tusRequest('HEAD', at(0, url))).status, 404);
      await assertNothingElse();
    });
  });
