// A file system that fails at its first, second, … call of what an upload, a download and a sweep do, until they make
// no call that has not failed once.

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
/** Several reads and writes. */
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

  /** What could not be cleaned up on a failing disk is swept; then nothing is left but what is referred to. */
  async function assertRecovered(): Promise<void> {
    await eventually(async () => {
      assert.deepEqual(await query(server, 'select * from blob_writers'), []);
    });
    assert.equal(await runSweep(), undefined);
    await assertTidy(server);
    assert.ok((await bytesOf(await download('kept'))).equals(LARGE));
  }

  /** Lets each call fail in turn, and checks that there were as many as a case must have. */
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
      const how = `${code} ${lasting ? 'from its n-th call on' : 'at its n-th call'}`;
      const calls = { ENOSPC: 4, EIO: 8, EMFILE: 1 }[code];

      for (const [kind, options] of Object.entries(UPLOADS)) {
        test(`with ${how}: an upload of ${kind} is told so and leaves nothing, or has its bytes`, async () => {
          await atEachCall(
            { code, lasting },
            calls,
            async () => {
              const response = await server.upload(`new-${kind}`, options);
              // Past the commit nothing can fail but the tidying up.
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

      test(`with ${how}: a download is told so, or cut off, or whole`, async () => {
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

      test(`with ${how}: a sweep says so, takes nothing that is wanted, and the next one does the rest`, async () => {
        await atEachCall(
          { code, lasting },
          code === 'ENOSPC' ? 0 : 2,
          async () => {
            for (const id of ['doomed-1', 'doomed-2']) await makeDoomed(id);
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

  /** Makes a blob that nobody refers to, past the functions that fail. */
  async function makeDoomed(id: string): Promise<void> {
    mkdirSync(join(root, 'zz'), { recursive: true, mode: 0o700 });
    writeFileSync(join(root, 'zz', id), id);
    await query(
      server,
      `insert into blobs (digest, storage_key, size, state, created_at) values ('sha256:${id}', ` +
        `'zz/${id}', ${id.length}, 'sound', '') on conflict do nothing`,
    );
  }

  /** Sweeps to the end and returns the code of its failure, if any. */
  async function runSweep(): Promise<string | undefined> {
    const headers = await server.superadmin();
    // Under a lasting failure the server tries again by itself.
    await eventually(async () => {
      assert.equal((await server.api('POST', '/storage/sweep', { headers, body: {} })).status, 202);
    });
    return eventually(async () => {
      const {
        sweep: { running, dueAt, outcome, error },
      } = (await (await server.api('GET', '/storage', { headers })).json()) as StorageDocument;
      // It stays due until its run has ended.
      assert.ok(!running && Date.parse(dueAt ?? '') > Date.now());
      return outcome === 'failed' ? error : undefined;
    });
  }
});

interface StorageDocument {
  sweep: { running: boolean; dueAt?: string; outcome?: string; error?: string };
}
