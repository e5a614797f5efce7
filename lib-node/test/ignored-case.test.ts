import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test from 'node:test';
import { makeDirectory } from './support/setting.ts';
import { packTarball } from './support/tarballs.ts';
import type { TarEntry } from './support/tarballs.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Unpacks in a process for which names exist in every case. */
const UNPACK = `
  import { createReadStream } from 'node:fs';
  const { extractTarball } = await import(process.argv[1]);
  const outcome = await extractTarball(createReadStream(process.argv[2]), process.argv[3]).then(
    () => ({}),
    ({ name, code, message }) => ({ name, code, message }),
  );
  console.log(JSON.stringify(outcome));`;

test('names that differ only in case are refused on a disk that ignores it, and no file is lost', async (t) => {
  const directory = await makeDirectory(t);
  const library = join(directory, 'ignore-case.so');
  execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(ROOT, 'lib-node/test/support/ignore-case.c'), '-ldl']);
  const unpack = async (
    name: string,
    entries: TarEntry[],
  ): Promise<{ name?: string; code?: string; message?: string }> => {
    const tarball = join(directory, `${name}.tgz`);
    await writeFile(tarball, packTarball(entries).bytes);
    const words = [
      '--input-type=module',
      '-e',
      UNPACK,
      join(ROOT, 'lib-node/dist/index.js'),
      tarball,
      join(directory, name),
    ];
    const env = { ...process.env, LD_PRELOAD: library };
    return JSON.parse(execFileSync(process.execPath, words, { env, encoding: 'utf8' })) as object;
  };
  const upper: TarEntry = { path: 'package/lib/README.md', content: 'upper' };
  const lower: TarEntry = { path: 'package/lib/readme.md', content: 'lower' };
  for (const [name, second] of Object.entries({
    file: lower,
    link: { ...lower, content: '', type: 'symlink', linkpath: 'x' } as const,
  })) {
    const { message, ...error } = await unpack(name, [upper, second]);
    assert.deepEqual(error, { name: 'ArchiveError', code: 'archive_unsafe' });
    assert.match(message ?? '', /"lib\/readme\.md" has the name of another one on this disk, which ignores case/);
    assert.deepEqual(await readdir(join(directory, name, 'lib')), ['README.md']);
    assert.equal(await readFile(join(directory, name, 'lib/README.md'), 'utf8'), 'upper');
  }
  assert.deepEqual(await unpack('twice', [upper, upper]), {});
});
