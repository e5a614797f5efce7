import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inThisRun, times } from '../support/combinations.ts';
import { digestOf } from '../support/digests.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { createTestS3, type TestS3 } from '../support/s3.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { createUpload, INTERNAL, offsetOf, patchUpload, tusUpload } from './tus-client.ts';

const MIB = 1024 * 1024;
const SIZE = 24 * MIB;
const FORMS = {
  file: randomBytes(SIZE),
  npm: await npmTarball({ name: 'restarted', files: { 'data': randomBytes(SIZE), 'README.md': '# Restarted' } }),
} as const;
/** Upper bound: bytes in the process's buffers when it is killed. */
const LOST_BY_A_KILL_BYTES = 768 * 1024;

const COMBINATIONS = [
  { dialect: 'sqlite', storage: 'fs' },
  { dialect: 'postgres', storage: 'fs' },
  { dialect: 'postgres', storage: 's3' },
] as const;

for (const { dialect, storage } of inThisRun(COMBINATIONS)) {
  describe(`a server on ${dialect} and ${storage} that is killed in the middle of a resumable upload`, () => {
    let dataDir: string;
    let env: Record<string, string>;
    let drop: (() => Promise<void>) | undefined;
    let server: ServerProcess | undefined;
    let s3: TestS3 | undefined;

    before(async () => {
      dataDir = await mkdtemp(join(tmpdir(), 'berth-test-'));
      const database = dialect === 'postgres' ? await createTestDatabaseUrl() : undefined;
      drop = database?.drop;
      s3 = storage === 's3' ? await createTestS3() : undefined;
      const secret = 'a secret of more than 32 characters';
      env = {
        DATA_DIR: dataDir,
        PUBLIC_URL: 'http://localhost',
        LOG_LEVEL: 'warn',
        SECRET_INTERNAL_SERVICES: INTERNAL['x-secret-key'],
        API_KEYS_SALT: secret,
        CIPHER_PASSWORD: secret,
        AUTH_SECRET: secret,
        ADMIN_PASSWORD: 'correct horse battery',
        ...(database && { DATABASE_URL: database.url }),
        ...s3?.env,
      };
    });
    after(async () => {
      await server?.stop();
      await drop?.();
      await s3?.remove();
      await rm(dataDir, { recursive: true, force: true });
    });

    const rows = <Row extends object>(statement: string) =>
      query<Row>(
        {
          server: {
            config: {
              DATA_DIR: dataDir,
              ...(env['DATABASE_URL'] !== undefined && { DATABASE_URL: env['DATABASE_URL'] }),
            },
          },
        },
        statement,
      );

    async function restart(): Promise<ServerProcess> {
      await server?.stop();
      // Does not wait until the claim of the dead replica expires; claims.unit.test.ts tests that.
      if (server && dialect === 'postgres')
        await rows(
          `update resumable_uploads set claimed_until = '2020-01-01T00:00:00.000Z' where claim is not null ` +
            'returning id',
        );
      return (server = await startServerProcess({ env }));
    }

    /** Moves a URL to the restarted server. */
    const moved = (url: string) => `${server!.url}${new URL(url).pathname}`;

    /**
     * Sends the first bytes of a PATCH that never ends. With files, waits until the server has written them, except
     * for its buffers.
     */
    async function sendPart(url: string, offset: number, part: Uint8Array, announced: number): Promise<void> {
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
      for (let start = 0; start < part.length; start += MIB) await connection.send(part.subarray(start, start + MIB));
      await eventually(async () =>
        assert.equal(
          (await rows('select id from resumable_uploads where document is null and received is null')).length,
          1,
        ),
      );
      const [row] = await rows<{ storage_key: string }>(
        'select storage_key from resumable_uploads where document is null',
      );
      if (storage === 'fs')
        await eventually(async () => {
          const { size } = await stat(join(dataDir, 'blobs', `${row!.storage_key}~part`));
          assert.ok(size >= offset + part.length - LOST_BY_A_KILL_BYTES, `${size}`);
        });
    }

    for (const [format, file] of inThisRun(Object.entries(FORMS) as ['npm' | 'file', Buffer][])) {
      test(`loses no acknowledged bytes of ${format}, and almost none that it received`, async () => {
        await restart();
        const id = `killed-${format}`;
        let url = await createUpload(server!, id, file.length, { format });
        assert.equal((await patchUpload(url, 0, file.subarray(0, 5 * MIB))).status, 204);
        let offset = 5 * MIB;
        for (let kill = 0; kill < times({ often: 3, seldom: 1 }); kill++) {
          await sendPart(url, offset, file.subarray(offset, offset + 5 * MIB), file.length - offset);
          await restart();
          url = moved(url);
          const keptBytes = await offsetOf(url);
          const minBytes = storage === 'fs' ? offset + 5 * MIB - LOST_BY_A_KILL_BYTES : offset;
          assert.ok(keptBytes >= minBytes && keptBytes <= offset + 5 * MIB, `${keptBytes} of ${offset + 5 * MIB}`);
          offset = keptBytes;
        }
        await tusUpload(server!, id, { format, file }, { uploadUrl: url, chunkSize: 2 * MIB });
        const document = (await (
          await fetch(`${server!.url}/api/v1/artefacts/${id}`, { headers: INTERNAL })
        ).json()) as { digest?: string; tarballs?: Record<string, { digest: string }> };
        assert.equal(document.digest ?? document.tarballs?.['noarch']?.digest, digestOf(file));
        const bytes = new Uint8Array(
          await (await fetch(`${server!.url}/api/v1/artefacts/${id}/download`, { headers: INTERNAL })).arrayBuffer(),
        );
        assert.equal(digestOf(bytes), digestOf(file));
        if (format === 'npm')
          assert.match(
            await (await fetch(`${server!.url}/api/v1/artefacts/${id}/readme`, { headers: INTERNAL })).text(),
            /Restarted/,
          );
      });
    }

    test('publishes the complete file when killed at any time between the last byte and the response', async () => {
      const file = FORMS.npm;
      for (let delayMs = 0; delayMs < 60; delayMs += times({ often: 12, seldom: 40 })) {
        await restart();
        const id = `last-${delayMs}`;
        let url = await createUpload(server!, id, file.length, { format: 'npm' });
        await patchUpload(url, 0, file.subarray(0, -1));
        const last = patchUpload(url, file.length - 1, file.subarray(-1)).catch(() => undefined);
        await sleep(delayMs);
        await restart();
        await last;
        url = moved(url);
        const offset = await offsetOf(url);
        assert.ok(offset >= file.length - 1);
        const response = await patchUpload(url, offset, file.subarray(offset));
        assert.deepEqual([response.status, response.headers.get('x-artefact-digest')], [204, digestOf(file)]);
        const bytes = new Uint8Array(
          await (await fetch(`${server!.url}/api/v1/artefacts/${id}/download`, { headers: INTERNAL })).arrayBuffer(),
        );
        assert.equal(digestOf(bytes), digestOf(file));
      }
      assert.deepEqual(await rows('select storage_key from blob_writers'), []);
      if (s3) assert.equal((await s3.leftovers()).length, (await rows('select digest from blobs')).length);
      else
        assert.deepEqual(
          (await readdir(join(dataDir, 'blobs'), { recursive: true })).filter((name) => name.endsWith('~part')),
          [],
        );
    });
  });
}
