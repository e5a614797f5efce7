import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Upload } from 'tus-js-client';
import { readDocument } from '../artefacts/documents.ts';
import { openFiles } from '../blobs/fs-fixture.ts';
import { digestOf } from '../support/digests.ts';
import { eventually } from '../support/eventually.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { assertTidy, query, rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { startCuttingProxy, type CuttingProxy } from './cutting-proxy.ts';
import {
  createUpload,
  endpointOf,
  INTERNAL,
  metadataHeader,
  offsetOf,
  patchUpload,
  tusRequest,
  tusUpload,
} from './tus-client.ts';

const MIB = 1024 * 1024;
const FILE = randomBytes(8 * MIB);
const TARBALL = await npmTarball({
  name: 'resumed',
  files: { 'data': randomBytes(8 * MIB), 'README.md': '# Resumed' },
});
const FORMS = { file: FILE, npm: TARBALL } as const;
/** Upper bound per cut: request headers, and bytes in the process's buffers when the connection broke. */
const LOST_BY_A_CUT_BYTES = 256 * 1024;

for (const dialect of DIALECTS) {
  describe(`a resumable upload on ${dialect}`, () => {
    let server: TestServer;
    let proxy: CuttingProxy;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());
    beforeEach(async () => {
      proxy = await startCuttingProxy(server.url);
    });
    afterEach(() => proxy.close());

    const storedDigest = async (id: string, format: 'npm' | 'file') => {
      const document = await readDocument(server, id);
      return format === 'npm' ? document.tarballs?.['noarch']?.digest : document.digest;
    };

    for (const [format, file] of Object.entries(FORMS) as ['npm' | 'file', Buffer][]) {
      test(`of ${format} by tus-js-client with default options is published`, async () => {
        const id = `defaults-${format}`;
        const { promise, resolve, reject } = Promise.withResolvers<unknown>();
        const metadata = { id, format };
        new Upload(file, {
          endpoint: endpointOf(server),
          headers: INTERNAL,
          metadata,
          onSuccess: resolve,
          onError: reject,
        }).start();
        await promise;
        assert.equal(await storedDigest(id, format), digestOf(file));
      });

      for (const chunkSize of [Infinity, 3 * MIB, 700_000]) {
        test(`of ${format} by tus-js-client in pieces of ${chunkSize} bytes is published`, async () => {
          const id = `plain-${format}-${chunkSize}`;
          await tusUpload(server, id, { format, file }, { chunkSize });
          assert.equal(await storedDigest(id, format), digestOf(file));
        });
      }

      test(`of ${format} that is cut five times resumes each time, and resends almost nothing`, async () => {
        const id = `cut-${format}`;
        let cuts = 0;
        const cutSoon = () => {
          if (++cuts <= 5) proxy.cutAfter(randomInt(100_000, MIB));
        };
        cutSoon();
        await tusUpload(
          proxy,
          id,
          { format, file },
          {
            retryDelays: [0, 0, 0, 0, 0, 0],
            onShouldRetry: () => {
              cutSoon();
              return true;
            },
          },
        );
        assert.equal(await storedDigest(id, format), digestOf(file));
        assert.ok(cuts >= 5);
        assert.ok(proxy.sentBytes - file.length < 5 * LOST_BY_A_CUT_BYTES, `${proxy.sentBytes} bytes were sent`);
      });

      test(`of ${format} survives connections that are reset at any byte`, async () => {
        const id = `reset-${format}`;
        let resets = 0;
        const resetSoon = () => {
          if (++resets <= 6) proxy.cutAfter(randomInt(1, 2 * MIB), 'reset');
        };
        resetSoon();
        await tusUpload(
          proxy,
          id,
          { format, file },
          {
            retryDelays: Array.from({ length: 20 }, () => 0),
            chunkSize: 2 * MIB,
            onShouldRetry: () => {
              resetSoon();
              return true;
            },
          },
        );
        assert.equal(await storedDigest(id, format), digestOf(file));
      });

      test(`of ${format} can be continued by a restarted client that only knows its URL`, async () => {
        const id = `new-client-${format}`;
        const url = await createUpload(proxy, id, file.length, { format });
        proxy.cutAfter(3 * MIB);
        await assert.rejects(tusUpload(proxy, id, { format, file }, { uploadUrl: url }));
        // The request may overtake bytes that the server has not read yet.
        const offset = await eventually(async () => {
          const reported = await offsetOf(url);
          assert.ok(reported > 2 * MIB, `${reported}`);
          return reported;
        });
        let firstSent: number | undefined;
        await tusUpload(
          proxy,
          id,
          { format, file },
          {
            uploadUrl: url,
            onProgress: (sent) => {
              firstSent ??= sent;
            },
          },
        );
        assert.equal(firstSent, offset);
        assert.equal(await storedDigest(id, format), digestOf(file));
      });
    }

    test('whose last response was lost is found published when the client queries it', async () => {
      const url = await createUpload(server, 'lost-response', FILE.length);
      const connection = await openConnection(server.url);
      await connection.send(
        requestHead('PATCH', new URL(url).pathname, {
          ...INTERNAL,
          'tus-resumable': '1.0.0',
          'upload-offset': 0,
          'content-type': 'application/offset+octet-stream',
          'content-length': FILE.length,
        }),
      );
      await connection.send(FILE.subarray(0, -1));
      await connection.send(FILE.subarray(-1));
      connection.end();
      await eventually(async () =>
        assert.equal(
          (
            await query(
              server,
              `select id from resumable_uploads where artefact_id = 'lost-response' and document is not null`,
            )
          ).length,
          1,
        ),
      );
      const { dataUpdatedAt } = await readDocument(server, 'lost-response');
      const before = proxy.sentBytes;
      await tusUpload(
        proxy,
        'lost-response',
        { format: 'file', file: FILE },
        { uploadUrl: url.replace(server.url, proxy.url) },
      );
      assert.ok(proxy.sentBytes - before < 1000);
      assert.equal((await readDocument(server, 'lost-response')).dataUpdatedAt, dataUpdatedAt);
    });

    test('is published by the next HEAD if its process died after the last byte', async () => {
      const url = await createUpload(server, 'unpublished', FILE.length);
      await patchUpload(url, 0, FILE.subarray(0, -1));
      // The state that a process leaves when it dies between the last byte and the commit.
      const blobs = await query<{ storage_key: string }>(
        server,
        `select storage_key from resumable_uploads where artefact_id = 'unpublished'`,
      );
      await query(
        server,
        `update resumable_uploads set size = ${FILE.length - 1}, received = null where artefact_id = ` +
          `'unpublished' returning id`,
      );
      assert.equal(blobs.length, 1);
      assert.equal(await offsetOf(url), FILE.length - 1);
      assert.equal((await readDocument(server, 'unpublished')).digest, digestOf(FILE.subarray(0, -1)));
    });

    test('that the client cancels leaves nothing', async () => {
      const assertUntouched = await rememberStored(server);
      await new Promise<void>((resolve, reject) => {
        const upload = new Upload(FILE, {
          endpoint: endpointOf(server),
          headers: INTERNAL,
          metadata: { id: 'aborted', format: 'file' },
          chunkSize: MIB,
          onChunkComplete: () => {
            upload.abort(true).then(resolve, reject);
          },
          onError: reject,
        });
        upload.start();
      });
      await assertUntouched();
    });

    test('whose creation with bytes is cut leaves nothing, since the client does not know its URL', async () => {
      const assertUntouched = await rememberStored(server);
      const connection = await openConnection(server.url);
      const headers = {
        'upload-length': FILE.length,
        'upload-metadata': metadataHeader({ id: 'nameless', format: 'file' }),
      };
      await connection.send(
        requestHead('POST', '/api/v1/uploads', {
          ...INTERNAL,
          'tus-resumable': '1.0.0',
          ...headers,
          'content-type': 'application/offset+octet-stream',
          'content-length': FILE.length,
        }),
      );
      await connection.send(FILE.subarray(0, MIB));
      const uploads = () => query(server, `select id from resumable_uploads where artefact_id = 'nameless'`);
      await eventually(async () => assert.equal((await uploads()).length, 1));
      connection.end();
      await eventually(async () => assert.deepEqual(await uploads(), []));
      await assertUntouched();
    });

    test('does not interfere with nine concurrent ones', async () => {
      const files = Array.from({ length: 10 }, () => randomBytes(MIB));
      await Promise.all(
        files.map((file, index) =>
          tusUpload(server, `many-${index}`, { format: 'file', file }, { chunkSize: 300_000 }),
        ),
      );
      for (const [index, file] of files.entries())
        assert.equal(await storedDigest(`many-${index}`, 'file'), digestOf(file));
    });

    test('keeps no file open between its requests, and leaves none when it is cancelled', async () => {
      const url = await createUpload(server, 'closed', FILE.length, { format: 'file' });
      await patchUpload(url, 0, FILE.subarray(0, MIB));
      await eventually(async () => assert.deepEqual(await openFiles(`${server.dataDir}/blobs`), []));
      await tusRequest('DELETE', url);
      await assertTidy(server);
    });

    test('logs nothing but its requests', () => {
      assert.deepEqual(server.logs, []);
    });
  });
}
