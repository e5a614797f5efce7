import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileIndexRepository, putFileIndex } from '../../src/artefacts/file-index-repository.ts';
import { findInFileIndex, formatFileIndex, parseFileIndexPart } from '../../src/artefacts/file-index.ts';
import type { FileEntry } from '../../src/tarballs/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const DIGEST = 'sha256:a';
const ODD_NAMES = ['},{"', '},{"path":"x"}', '"},{"path":"', '\\"},{\\"', 'été\n☃', '[', ']', '%_\\%'];

function entry(path: string, changes: Partial<FileEntry> = {}): FileEntry {
  return { path, sizeBytes: 1, mode: 0o644, type: 'file', offset: 512, ...changes };
}

function manyEntries(folder: string, firstOffset = 0): FileEntry[] {
  return Array.from({ length: 20_000 }, (_unused, index) =>
    entry(`${folder}/${ODD_NAMES[index % ODD_NAMES.length]}/${index}`, { offset: firstOffset + index }),
  );
}

for (const dialect of DIALECTS) {
  describe(`the file index on ${dialect}`, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openTestDatabase(dialect);
      const { db } = opened.database;
      const blob = { storage_key: 'a', size: 1, state: 'sound', created_at: '' };
      const scan = { scan_version: 1, readme: null, packages: '[]', unpacked_size: 0 };
      await db
        .insertInto('blobs')
        .values({ ...blob, digest: DIGEST })
        .execute();
      await db
        .insertInto('tarball_scans')
        .values({ ...scan, digest: DIGEST })
        .execute();
    });
    after(() => opened.close());

    async function put(files: readonly FileEntry[]): Promise<void> {
      const parts = await formatFileIndex(files);
      await opened.database.transaction((tx) => putFileIndex(tx, DIGEST, parts));
    }

    async function parseParts(parts: AsyncIterable<string>): Promise<FileEntry[][]> {
      const pieces: FileEntry[][] = [];
      for await (const part of parts) pieces.push(parseFileIndexPart(part));
      return pieces;
    }

    const read = () => parseParts(repository().read(DIGEST));

    const repository = () => fileIndexRepository(opened.database.db, dialect);
    const find = (path: string) => findInFileIndex((text) => repository().search(DIGEST, text), path);

    test('is read in parts, as it was written, and replaces the previous one', async () => {
      for (const files of [manyEntries('a'), [entry('a')], [], manyEntries('b')]) {
        await put(files);
        const pieces = await read();
        assert.deepEqual(pieces.flat(), files);
        for (const piece of pieces) assert.ok(piece.length <= 1000);
      }
    });

    test('cannot be read to its end if the tarball is removed meanwhile', async () => {
      await put(manyEntries('a'));
      const parts = repository().read(DIGEST);
      await parts.next();
      await put([entry('a')]);
      await assert.rejects(parseParts(parts), /was removed/);
    });

    test('yields to the event loop while it is read and searched', async () => {
      await put(Array.from({ length: 10 }, () => manyEntries('a')).flat());
      const turns: number[] = [];
      const timer = setInterval(() => turns.push(performance.now()));
      await read();
      await find('none');
      clearInterval(timer);
      assert.ok(turns.length > 10, `${turns.length} turns`);
    });

    test('finds the last file of a name, in any part', async () => {
      const [first, second, third] = [manyEntries('a', 1), manyEntries('b', 30_001), manyEntries('a', 60_001)];
      const [early, late] = [entry('twice', { offset: 30_000 }), entry('twice', { offset: 60_000 })];
      await put([...first, early, ...second, late, ...third]);
      assert.deepEqual(await find('twice'), late);
      for (const index of [0, 777, 19_999]) {
        assert.deepEqual(await find(second[index]!.path), second[index]);
        assert.deepEqual(await find(first[index]!.path), third[index]);
      }
      for (const path of ['none', '', 'TWICE', '%', 'a/[', 'x\0']) assert.equal(await find(path), undefined, path);
    });

    test('resolves a hard link to the file before it, and finds no directories or symbolic links', async () => {
      const link = entry('hard', { type: 'link', target: 'a', offset: 30_000 });
      await put([
        entry('a', { offset: 1 }),
        ...manyEntries('b', 2),
        link,
        entry('a', { offset: 40_000 }),
        entry('folder', { type: 'directory', offset: 50_000 }),
        entry('soft', { type: 'symlink', target: 'a', offset: 60_000 }),
      ]);
      assert.equal((await find('hard'))?.offset, 1);
      assert.equal((await find('a'))?.offset, 40_000);
      assert.equal(await find('folder'), undefined);
      assert.equal(await find('soft'), undefined);
    });
  });
}
