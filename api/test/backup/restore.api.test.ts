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
  createPlace,
  expectOk,
  fill,
  nameOf,
  walk,
  type Combination,
  type Filled,
  type Place,
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
    let place: Place;
    let filled: Filled;
    let seen: Record<string, unknown>;
    let directory: string;
    let deadSession: Record<string, string>;

    before(async () => {
      place = await createPlace(source);
      const server = await place.start();
      filled = await fill(server);
      deadSession = await server.superadmin();
      seen = await walk(server, filled);
      directory = join(scratch, source.dialect + source.storage);
      const { report } = await runToEnd('backup', directory, place);
      assert.deepEqual(report.lost, []);
      await server.close();
    });
    after(() => place.remove());

    for (const target of COMBINATIONS) {
      test(`makes the same instance on ${nameOf(target)}`, async () => {
        await restored(target, directory, async (server) => {
          assert.deepEqual(await walk(server, filled), seen);
          await readProblem(await server.api('GET', '/users', { headers: deadSession }), 401, 'unauthenticated');
          await goesOn(server, filled);
          if (target.storage === 'fs') await assertTidy(server);
        });
      });
    }

    test('is readable by its owner alone and holds each blob once, under its digest', async () => {
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

/** Restores into an empty place and starts a server on it. */
async function restored(
  combination: Combination,
  directory: string,
  look: (server: TestServer) => Promise<void>,
): Promise<void> {
  const place = await createPlace(combination);
  try {
    const report = await restore(place.env, directory);
    assert.deepEqual(report.lost, []);
    assert.equal(report.blobs.restored, report.blobs.count);
    const server = await place.start();
    try {
      await look(server);
    } finally {
      await server.close();
    }
  } finally {
    await place.remove();
  }
}

/** Keys work, searches find what is new, dates go forward, equal bytes are known. */
async function goesOn(server: TestServer, { uploadKey }: Filled): Promise<void> {
  const id = '@acme/import-gpkg@1';
  const before = (await (
    await server.api('GET', `/artefacts/${encodeURIComponent(id)}`, { headers: server.internal })
  ).json()) as { dataUpdatedAt: string };
  const key = { 'x-api-key': uploadKey };
  const answer = await expectOk(server.upload(id, { file: await npmTarball({ version: '2.0.0' }), headers: key }));
  const { artefact } = (await answer.json()) as { artefact: { dataUpdatedAt: string } };
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
