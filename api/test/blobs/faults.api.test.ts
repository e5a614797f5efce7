// Injects a failure into every file system call of an upload, a download and a sweep: the first, the second, and so
// on, until each call has failed once.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { withFault, type FaultCode } from '../support/failing-fs.ts';
import { inThisRun } from '../support/combinations.ts';
import { eventually } from '../support/eventually.ts';
import { assertNoLeak } from '../support/problems.ts';
import { assertTidy, query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const STATUS = { storage_full: 507, storage_unavailable: 503 };
const CODES = ['ENOSPC', 'EIO', 'EMFILE'] as const;
/** Large enough for several reads and writes. */
const LARGE = randomBytes(1_300_000);
const UPLOADS = {
  file: { format: 'file', file: LARGE },
  npm: { format: 'npm', file: await npmTarball({ files: { data: LARGE } }) },
} as const;
const MAX_CALLS = 200;

describe('a file system that fails', () => {
  let server: TestServer;
  let root: string;

  before(async () => {
    server = await startTestServer({ env: { GC_GRACE_HOURS: '0', LOG_LEVEL: 'silent' } });
    root = join(server.dataDir, 'blobs');
    assert.equal((await server.upload('kept', { format: 'file', file: LARGE })).status, 201);
  });
  after(() => server.close());

  const download = (id: string) =>
    fetch(`${server.url}/api/v1/artefacts/${id}/download`, { headers: server.internal });
  const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

  async function assertProblem(response: Response, code: FaultCode): Promise<void> {
    const body = await response.text();
    assertNoLeak(body);
    const problem = JSON.parse(body) as { code: keyof typeof STATUS };
    assert.equal(problem.code, code === 'ENOSPC' ? 'storage_full' : 'storage_unavailable');
    assert.equal(response.status, STATUS[problem.code]);
  }

  /** Sweeps what could not be cleaned up on the failing disk, and asserts that only referenced data is left. */
  async function assertRecovered(): Promise<void> {
    await eventually(async () => {
      assert.deepEqual(await query(server, 'select * from blob_writers'), []);
    });
    assert.equal(await runSweep(), undefined);
    await assertTidy(server);
    assert.ok((await bytesOf(await download('kept'))).equals(LARGE));
  }

  /** Fails each call in turn, and checks that there were at least as many calls as expected. */
  async function atEachCall(
    fault: { code: FaultCode; lasting: boolean },
    atLeast: number,
    work: () => Promise<void>,
    check: () => Promise<void>,
  ): Promise<void> {
    const failed: string[] = [];
    for (let at = 1; at < MAX_CALLS; at++) {
      const attempt = await withFault({ root, ...fault, at }, work);
      await check();
      if (attempt.failed.length === 0) {
        assert.ok(at > atLeast, `only ${at - 1} calls: ${failed.join(' ')}`);
        return;
      }
      failed.push(attempt.failed[0] ?? '');
    }
    assert.fail(`more than ${MAX_CALLS} calls: ${failed.join(' ')}`);
  }

  for (const code of inThisRun(CODES)) {
    for (const lasting of [false, true]) {
      const fault = `${code} ${lasting ? 'from the n-th call on' : 'at the n-th call'}`;
      const calls = { ENOSPC: 4, EIO: 8, EMFILE: 1 }[code];

      for (const [kind, options] of Object.entries(UPLOADS)) {
        test(`with ${fault}: an upload of ${kind} fails and leaves nothing, or is complete`, async () => {
          await atEachCall(
            { code, lasting },
            calls,
            async () => {
              const response = await server.upload(`new-${kind}`, options);
              // After the commit only the clean-up can fail.
              if (response.status === 201) return response.body?.cancel();
              await assertProblem(response, code);
            },
            async () => {
              const response = await download(`new-${kind}`);
              if (response.status === 200) {
                assert.ok((await bytesOf(response)).equals(options.file));
                assert.equal(
                  (await server.api('DELETE', `/artefacts/new-${kind}`, { headers: server.internal })).status,
                  204,
                );
              } else {
                assert.equal(response.status, 404);
              }
              await assertRecovered();
            },
          );
        });
      }

      test(`with ${fault}: a download fails, breaks off, or is complete`, async () => {
        await atEachCall(
          { code, lasting },
          code === 'ENOSPC' ? 0 : 1,
          async () => {
            const response = await download('kept');
            if (response.status !== 200) return assertProblem(response, code);
            const received = await bytesOf(response).catch(() => undefined);
            assert.ok(!received || received.equals(LARGE));
          },
          async () => {
            assert.ok((await bytesOf(await download('kept'))).equals(LARGE));
          },
        );
      });

      test(`with ${fault}: a sweep fails without deleting referenced data, and the next one completes`, async () => {
        await atEachCall(
          { code, lasting },
          code === 'ENOSPC' ? 0 : 2,
          async () => {
            for (const id of ['unreferenced-1', 'unreferenced-2']) await addUnreferenced(id);
            const error = await runSweep();
            assert.ok(
              error === undefined || error === (code === 'ENOSPC' ? 'storage_full' : 'storage_unavailable'),
              error,
            );
          },
          assertRecovered,
        );
      });
    }
  }

  /** Adds an unreferenced blob, with functions that no fault is injected into. */
  async function addUnreferenced(id: string): Promise<void> {
    mkdirSync(join(root, 'zz'), { recursive: true, mode: 0o700 });
    writeFileSync(join(root, 'zz', id), id);
    await query(
      server,
      `insert into blobs (digest, storage_key, size, state, created_at) values ('sha256:${id}', ` +
        `'zz/${id}', ${id.length}, 'sound', '') on conflict do nothing`,
    );
  }

  /** Runs a sweep and returns the error code if it failed. */
  async function runSweep(): Promise<string | undefined> {
    const headers = await server.superadmin();
    // Under a lasting failure the server retries by itself.
    await eventually(async () => {
      assert.equal((await server.api('POST', '/storage/sweep', { headers, body: {} })).status, 202);
    });
    return eventually(async () => {
      const {
        sweep: { running, dueAt, outcome, error },
      } = (await (await server.api('GET', '/storage', { headers })).json()) as StorageDocument;
      // The job stays due until its run has ended.
      assert.ok(!running && Date.parse(dueAt ?? '') > Date.now());
      return outcome === 'failed' ? error : undefined;
    });
  }
});

interface StorageDocument {
  sweep: { running: boolean; dueAt?: string; outcome?: string; error?: string };
}
