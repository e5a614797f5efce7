// Concurrent calls, and random faults at any moment. What a call returns must be complete, and the cache it leaves
// usable.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact, ensureArtefactFile } from '../dist/index.js';
import type { EnsureArtefactFileOptions, EnsuredArtefact } from '../dist/index.js';
import { startEnsure } from './support/children.ts';
import { corrupting, cutting, dropping, failing, onRequests, stalling } from './support/misbehaviours.ts';
import { chooseSeed, createRandom } from './support/random.ts';
import type { Misbehaviour } from './support/registry-fixture.ts';
import { ID, makeRegistry, makeSetting } from './support/setting.ts';
import type { Setting } from './support/setting.ts';
import { describeTarball, incompressible, packPackage } from './support/tarballs.ts';
import type { Tarball } from './support/tarballs.ts';

const FILE_ID = 'tiles/europe.pmtiles';
const BALLAST = incompressible(200_000);
/** Kills per process; more with `npm run test:full`. */
const ROUNDS = process.env['BERTH_TEST_BACKENDS'] === 'straight' ? 20 : 5;

/** A package whose files all contain the number of the round. */
function packRound(round: number): Tarball {
  return packPackage(`1.0.${round}`, { ...Object.fromEntries(filesOf(round)), 'ballast.bin': BALLAST });
}

function filesOf(round: number): [string, string][] {
  return Array.from({ length: 150 }, (_, index) => [
    `lib/${index % 10}/${index}.js`,
    `export default ${round}; // ${'x'.repeat(index * 10)}`,
  ]);
}

const packFile = (round: number): Tarball =>
  describeTarball(Buffer.concat([Buffer.from(`${round}`), BALLAST, BALLAST]));

async function assertRound({ path }: EnsuredArtefact, round: number): Promise<void> {
  for (const [name, content] of filesOf(round)) assert.equal(await readFile(join(path, name), 'utf8'), content);
  assert.deepEqual(await readFile(join(path, 'ballast.bin')), BALLAST);
}

const fileOptions = ({ options: { registryUrl, cacheDir } }: Setting): EnsureArtefactFileOptions => ({
  registryUrl,
  cacheDir,
  artefactId: FILE_ID,
});
const leftovers = async (path: string): Promise<string[]> =>
  (await readdir(path)).filter((name) => !/^(?:[0-9a-f]{16}|\.lock|\.state\.json)$/.test(name));

test('fifty concurrent calls for packages, architectures and files download each once', async (t) => {
  const setting = await makeSetting(t);
  const [one, two, file] = [packRound(1), packRound(2), packFile(1)];
  for (const id of ['a', 'b', 'c']) setting.registry.publish(id, { noarch: one, arm64: two });
  setting.registry.publishFile(FILE_ID, file);
  const requested = ['a', 'b', 'c'].flatMap((artefactId) =>
    ['x64', 'arm64', ''].map((architecture) => ({ ...setting.options, artefactId, architecture })),
  );
  const calls = Array.from({ length: 45 }, (_, index) =>
    ensureArtefact(requested[index % requested.length] ?? setting.options),
  );
  const files = Array.from({ length: 5 }, () => ensureArtefactFile(fileOptions(setting)));
  const results = await Promise.all(calls);
  for (const [index, { digest }] of results.entries()) assert.equal(digest, index % 3 === 1 ? two.digest : one.digest);
  assert.equal(new Set(results.map(({ path }) => path)).size, requested.length);
  assert.deepEqual(
    [results, await Promise.all(files)].map((list) => list.filter(({ downloaded }) => downloaded).length),
    [requested.length, 1],
  );
  assert.deepEqual(
    // Of a file, the others ask whether it is the newest.
    [setting.registry.countRequests('/tarball'), setting.registry.countRequests('/download')],
    [requested.length, files.length],
  );
});

test('processes killed at random moments leave a cache that the next call repairs', async (t) => {
  const seed = chooseSeed();
  const random = createRandom(seed);
  const setting = await makeSetting(t);
  const { registry, options } = setting;
  const start = (): ReturnType<typeof startEnsure>[] => [
    startEnsure(options),
    startEnsure(fileOptions(setting), 'ensureArtefactFile'),
  ];
  const publish = (round: number): void => {
    registry.publish(ID, { noarch: packRound(round) });
    registry.publishFile(FILE_ID, packFile(round));
  };

  publish(0);
  const startedAt = Date.now();
  await Promise.all(start().map(({ result }) => result));
  const spanMs = Date.now() - startedAt;
  let before = await ensureArtefact(options);
  for (let round = 1; round <= ROUNDS; round += 1) {
    publish(round);
    const children = start();
    await Promise.all(
      children.map(async (child) => {
        await new Promise((resolve) => {
          setTimeout(resolve, random() * spanMs);
        });
        await child.kill();
      }),
    );
    const [now, file] = await Promise.all([ensureArtefact(options), ensureArtefactFile(fileOptions(setting))]);
    const context = `round ${round} of BERTH_TEST_SEED=${seed}`;
    assert.deepEqual(await readFile(file.path), packFile(round).bytes, context);
    await assertRound(now, round);
    await assertRound(before, round - 1);
    // A process killed at the very end leaves its partial file, which the next update removes.
    assert.deepEqual(
      (await leftovers(join(now.path, '..'))).filter((name) => name !== `.${now.digest.slice(7, 23)}.part`),
      [],
      context,
    );
    before = now;
  }
});

test('under random faults a call succeeds or fails cleanly, and returned directories stay intact', async (t) => {
  const seed = chooseSeed();
  const random = createRandom(seed);
  const setting = await makeSetting(t);
  const { registry, options } = setting;
  registry.publish(ID, { noarch: packRound(0) });
  const first = await ensureArtefact(options);
  const garbage: Misbehaviour = (_request, response) => {
    response.end('<html>Please sign in</html>');
    return true;
  };
  const other: Misbehaviour = corrupting(() => packRound(99).bytes);
  const flip: Misbehaviour = corrupting((body) => {
    body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
    return body;
  });
  const faults = [
    failing(500, 'broken'),
    failing(503, 'away'),
    failing(429, 'busy', { 'retry-after': '0' }),
    dropping(),
    garbage,
    other,
    flip,
    cutting(100_000),
    cutting(100_000),
  ];
  for (let round = 1; round <= 3; round += 1) {
    registry.publish(ID, { noarch: packRound(round) });
    registry.misbehave(
      (request, response) =>
        random() < 0.6 && (faults[Math.floor(random() * faults.length)] ?? dropping())(request, response),
    );
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, index) =>
        ensureArtefact({ ...options, retries: 1 + (index % 2), allowStale: index % 2 === 0 }),
      ),
    );
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        assert.ok(
          ['RegistryError', 'ArchiveError'].includes((outcome.reason as Error).name),
          `${String(outcome.reason)}, BERTH_TEST_SEED=${seed}`,
        );
      else if (!outcome.value.stale) assert.equal(outcome.value.digest, packRound(round).digest);
    }
    registry.misbehave(undefined);
    const repaired = await ensureArtefact(options);
    await assertRound(repaired, round);
    assert.deepEqual(await leftovers(join(repaired.path, '..')), [], `BERTH_TEST_SEED=${seed}`);
  }
  await assertRound(first, 0);
});

test('an outage during a download: callers fail or get the stale copy, and the download resumes later', async (t) => {
  const setting = await makeSetting(t);
  const { registry, options } = setting;
  const large = packPackage('2.0.0', { 'data.bin': incompressible(1_000_000) });
  registry.publish(ID, { noarch: packRound(0) });
  const first = await ensureArtefact(options);
  registry.publish(ID, { noarch: large });
  const held = new Promise((resolve) => {
    registry.misbehave(onRequests('/tarball', 1, stalling(400_000, resolve)));
  });
  const [stale, refused] = [true, false].map((allowStale) => ensureArtefact({ ...options, retries: 1, allowStale }));
  await held;
  await registry.close();
  await assert.rejects(refused ?? Promise.resolve(), { name: 'RegistryError', code: 'unreachable' });
  assert.deepEqual(await stale, { ...first, downloaded: false, stale: true });

  const back = await makeRegistry(t, { port: Number(new URL(registry.url).port) });
  back.publish(ID, { noarch: large });
  assert.equal((await ensureArtefact(options)).digest, large.digest);
  assert.match(back.requests.at(-1)?.headers.range ?? '', /^bytes=[1-9]\d*-$/);
});
