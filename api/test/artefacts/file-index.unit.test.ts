import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findInFileIndex, formatFileIndex, parseFileIndex } from '../../src/artefacts/file-index.ts';
import type { FileEntry } from '../../src/tarballs/index.ts';

const entry = (path: string, changes: Partial<FileEntry> = {}): FileEntry => ({ path, sizeBytes: 1, mode: 0o644, type: 'file', offset: 512, ...changes });
const ODD_NAMES = ['},{"', '},{"path":"x"}', '"},{"path":"', '\\"},{\\"', 'été\n☃', '[', ']'];
const MANY = Array.from({ length: 20_000 }, (_unused, index) => entry(`${ODD_NAMES[index % ODD_NAMES.length]}/${index}`, { offset: index }));

async function collect(json: string): Promise<FileEntry[]> {
  const files: FileEntry[] = [];
  for await (const piece of parseFileIndex(json)) files.push(...piece);
  return files;
}

describe('the index of files', () => {
  test('is JSON, and gives back what was put in, piece by piece', async () => {
    for (const files of [[], [entry('a')], MANY]) {
      const json = await formatFileIndex(files);
      assert.equal(json, JSON.stringify(files));
      assert.deepEqual(await collect(json), files);
    }
  });

  test('is not held in one piece', async () => {
    let pieces = 0;
    for await (const piece of parseFileIndex(JSON.stringify(MANY))) {
      pieces++;
      assert.ok(piece.length < MANY.length / 4);
    }
    assert.ok(pieces > 4);
  });

  test('lets others have their turn', async () => {
    const json = JSON.stringify(Array.from({ length: 10 }, () => MANY).flat());
    const turns: number[] = [];
    const timer = setInterval(() => turns.push(performance.now()));
    await collect(json);
    clearInterval(timer);
    assert.ok(turns.length > 10, `${turns.length} turns`);
  });

  test('finds the last file of a name, wherever it is', async () => {
    const json = JSON.stringify([...MANY, entry('twice', { offset: 1 }), ...MANY, entry('twice', { offset: 2 }), ...MANY]);
    assert.equal((await findInFileIndex(json, 'twice'))?.offset, 2);
    assert.equal((await findInFileIndex(json, MANY[777]!.path))?.offset, 777);
    assert.equal(await findInFileIndex(json, 'none'), undefined);
  });

  test('takes a hard link for its file as it was then, and a folder for none', async () => {
    const json = JSON.stringify([entry('a', { offset: 1 }), entry('hard', { type: 'link', target: 'a' }), entry('a', { offset: 2 }), entry('folder', { type: 'directory' })]);
    assert.equal((await findInFileIndex(json, 'hard'))?.offset, 1);
    assert.equal(await findInFileIndex(json, 'folder'), undefined);
  });
});
