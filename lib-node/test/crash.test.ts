import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import type { EnsuredArtefact } from '../dist/index.js';
import { startEnsure } from './support/children.ts';
import { onRequests, stalling } from './support/misbehaviours.ts';
import { ID, makeSetting } from './support/setting.ts';
import type { Setting } from './support/setting.ts';
import { incompressible, packPackage } from './support/tarballs.ts';

const FILES = Object.fromEntries(
  Array.from({ length: 400 }, (_, index) => [`lib/${index % 20}/${index}.bin`, incompressible(4000, `${index}`)]),
);
const TREE = packPackage('1.0.0', FILES);
const OLDER = packPackage('0.9.0');

async function assertComplete({ path, digest }: EnsuredArtefact): Promise<void> {
  assert.equal(digest, TREE.digest);
  for (const [name, content] of Object.entries(FILES)) assert.deepEqual(await readFile(join(path, name)), content);
  assert.deepEqual((await readdir(join(path, '..'))).filter((name) => !/^[0-9a-f]{16}$/.test(name)).sort(), [
    '.lock',
    '.state.json',
  ]);
}

const slotOf = ({ cacheDir }: Setting): string => join(cacheDir, encodeURIComponent(ID), 'x64');

test('a download is resumed after its process was killed', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: TREE });
  let child: ReturnType<typeof startEnsure> | undefined;
  await new Promise<void>((resolve) => {
    setting.registry.misbehave(
      onRequests(
        '/tarball',
        1,
        stalling(700_000, () => {
          resolve();
        }),
      ),
    );
    child = startEnsure(setting.options);
  });
  await waitFor(
    async () =>
      (await readdir(slotOf(setting))).some((name) => name.endsWith('.part')) && (await partSize(setting)) > 500_000,
  );
  await child?.kill();
  assert.ok((await readdir(slotOf(setting))).some((name) => name.startsWith('.staging-')));
  const result = await ensureArtefact(setting.options);
  await assertComplete(result);
  assert.match(setting.registry.requests.at(-1)?.headers.range ?? '', /^bytes=[5-7]\d{5}-$/);
});

test('a partial file with other bytes only costs a second download', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: TREE });
  await mkdir(slotOf(setting), { recursive: true });
  const part = join(slotOf(setting), `.${TREE.digest.slice(7, 23)}.part`);
  for (const bytes of [
    incompressible(1000),
    incompressible(TREE.bytes.length),
    incompressible(TREE.bytes.length + 10),
    Buffer.alloc(0),
  ]) {
    await rm(slotOf(setting), { recursive: true });
    await mkdir(slotOf(setting));
    await writeFile(part, bytes);
    await assertComplete(await ensureArtefact(setting.options));
  }
});

test('a complete partial file is unpacked without another download', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: TREE });
  await mkdir(slotOf(setting), { recursive: true });
  await writeFile(join(slotOf(setting), `.${TREE.digest.slice(7, 23)}.part`), TREE.bytes);
  await assertComplete(await ensureArtefact(setting.options));
  assert.equal(setting.registry.countRequests('/tarball'), 0);
});

test('a directory is reused if its process was killed before it wrote the state', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: TREE });
  const first = await ensureArtefact(setting.options);
  await rm(join(slotOf(setting), '.state.json'));
  await writeFile(join(slotOf(setting), '.state.json.draft'), '{"artefa');
  const second = await ensureArtefact(setting.options);
  assert.deepEqual(second, { ...first, downloaded: false });
  await assertComplete(second);
});

test('the next download removes the leftovers of dead processes', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: OLDER });
  await ensureArtefact(setting.options);
  for (const name of ['.staging-0123', '.trash-0123', '.lock.0123']) {
    await mkdir(join(slotOf(setting), name, 'node_modules'), { recursive: true });
    await writeFile(join(slotOf(setting), name, 'node_modules', 'x.js'), '');
  }
  await writeFile(join(slotOf(setting), '.0000000000000000.part'), 'x');
  setting.registry.publish(ID, { noarch: TREE });
  await assertComplete(await ensureArtefact(setting.options));
});

async function partSize(setting: Setting): Promise<number> {
  return (await readFile(join(slotOf(setting), `.${TREE.digest.slice(7, 23)}.part`))).length;
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition()))
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
}
