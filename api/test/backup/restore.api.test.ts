import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { restore } from '../../index.ts';
import { inThisRun } from '../support/combinations.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { assertTidy, query } from '../support/stored-state.ts';
import type { TestServer } from '../support/test-server.ts';
import { readProblem } from '../support/problems.ts';
import {
  COMBINATIONS,
  createTestInstance,
  expectOk,
  fill,
  nameOf,
  readEverything,
  type Combination,
  type SampleData,
  type TestInstance,
} from './instance.ts';
import { runToEnd } from './operation-process.ts';

let scratch: string;
before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-restore-'));
});
after(async () => {
  await rm(scratch, { recursive: true });
});

for (const source of inThisRun(COMBINATIONS)) {
  describe(`a backup of ${nameOf(source)}`, () => {
    let instance: TestInstance;
    let sample: SampleData;
    let responses: Record<string, unknown>;
    let directory: string;
    let oldSession: Record<string, string>;

    before(async () => {
      instance = await createTestInstance(source);
      const server = await instance.start();
      sample = await fill(server);
      oldSession = await server.superadmin();
      responses = await readEverything(server, sample);
      directory = join(scratch, source.dialect + source.storage);
      const { report } = await runToEnd('backup', directory, instance);
      assert.deepEqual(report.lost, []);
      await server.close();
    });
    after(() => instance.remove());

    for (const target of COMBINATIONS) {
      test(`restores the same instance on ${nameOf(target)}`, async () => {
        await withRestored(target, directory, async (server) => {
          assert.deepEqual(await readEverything(server, sample), responses);
          await readProblem(await server.api('GET', '/users', { headers: oldSession }), 401, 'unauthenticated');
          await assertUsable(server, sample);
          if (target.storage === 'fs') await assertTidy(server);
        });
      });
    }

    test('is readable only by its owner and contains each blob once, under its digest', async () => {
      const files = await readdir(directory, { recursive: true, withFileTypes: true });
      for (const entry of files)
        assert.equal((await stat(join(entry.parentPath, entry.name))).mode & 0o077, 0, entry.name);
      const blobs = files
        .filter((entry) => entry.isFile() && entry.parentPath.includes('sha256'))
        .map((entry) => entry.name);
      assert.equal(new Set(blobs).size, blobs.length);
      const slots = (
        await readFile(
          join(
            directory,
            (await readdir(directory)).find((name) => name.startsWith('snapshot'))!,
            'slots.jsonl',
          ),
          'utf8',
        )
      )
        .trim()
        .split('\n');
      assert.deepEqual(
        blobs.toSorted(),
        [
          ...new Set(slots.map((line) => (JSON.parse(line) as { digest: string }).digest.slice('sha256:'.length))),
        ].toSorted(),
      );
    });
  });
}

/** Restores into an empty instance and runs a check on its server. */
async function withRestored(
  combination: Combination,
  directory: string,
  check: (server: TestServer) => Promise<void>,
): Promise<void> {
  const instance = await createTestInstance(combination);
  try {
    const report = await restore(instance.env, directory);
    assert.deepEqual(report.lost, []);
    assert.equal(report.blobs.restored, report.blobs.count);
    const server = await instance.start();
    try {
      await check(server);
    } finally {
      await server.close();
    }
  } finally {
    await instance.remove();
  }
}

/** Asserts that keys work, searches find new artefacts, dates increase, and equal bytes are deduplicated. */
async function assertUsable(server: TestServer, { uploadKey }: SampleData): Promise<void> {
  const id = '@acme/import-gpkg@1';
  const before = (await (
    await server.api('GET', `/artefacts/${encodeURIComponent(id)}`, { headers: server.internal })
  ).json()) as { dataUpdatedAt: string };
  const key = { 'x-api-key': uploadKey };
  const response = await expectOk(server.upload(id, { file: await npmTarball({ version: '2.0.0' }), headers: key }));
  const { artefact } = (await response.json()) as { artefact: { dataUpdatedAt: string } };
  assert.ok(artefact.dataUpdatedAt > before.dataUpdatedAt);
  await readProblem(
    await server.upload('other', { file: await npmTarball({ name: 'other' }), headers: key }),
    403,
    'key_scope',
  );
  await expectOk(server.upload('seaworthy', { format: 'file', file: new Uint8Array(0), fileName: 'x' }));
  const found = (await (await server.api('GET', '/artefacts?q=seaworth', { headers: server.internal })).json()) as {
    count: number;
  };
  assert.equal(found.count, 1);
  assert.equal(
    (
      await query(
        server,
        'select 1 as it from slots where digest = ' +
          `'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'`,
      )
    ).length,
    2,
  );
}
