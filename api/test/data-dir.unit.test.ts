import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { restrictToOwner, prepareDataDir } from '../src/data-dir.ts';

const scratch = mkdtempSync(join(tmpdir(), 'berth-data-dir-'));
after(() => {
  rmSync(scratch, { recursive: true });
});

let last = 0;
/** Creates a folder with files that every user can read. */
function folderWith(names: readonly string[], mode = 0o755): string {
  const folder = join(scratch, String(++last));
  mkdirSync(folder);
  for (const name of names) {
    writeFileSync(join(folder, name), '');
    chmodSync(join(folder, name), 0o644);
  }
  chmodSync(folder, mode);
  return folder;
}

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

describe('DATA_DIR', () => {
  test('is created with its parent folders, readable only by its owner', async () => {
    const folder = join(scratch, 'new/data');
    assert.deepEqual(await prepareDataDir(folder), []);
    assert.deepEqual([modeOf(folder), modeOf(join(scratch, 'new'))], ['700', '700']);
  });

  test("and Berth's files in it lose the permissions of others, and keep those of the owner", async () => {
    const files = ['berth.db', 'berth.db-wal', 'berth.db-shm', 'secrets.json'];
    const folder = folderWith(files, 0o2775);
    chmodSync(join(folder, 'secrets.json'), 0o440);
    mkdirSync(join(folder, 'blobs'));
    chmodSync(join(folder, 'blobs'), 0o755);
    assert.deepEqual(await prepareDataDir(folder), []);
    assert.deepEqual(
      files.map((name) => modeOf(join(folder, name))),
      ['600', '600', '600', '400'],
    );
    assert.deepEqual([modeOf(folder), modeOf(join(folder, 'blobs'))], ['2700', '700']);
  });

  test("keeps its mode if it has other files or is shared, but Berth's files are restricted", async () => {
    for (const folder of [folderWith(['berth.db', 'notes.txt']), folderWith(['berth.db'], 0o1777)]) {
      const before = modeOf(folder);
      assert.deepEqual(await prepareDataDir(folder), []);
      assert.deepEqual([modeOf(folder), modeOf(join(folder, 'berth.db'))], [before, '600']);
    }
    assert.equal(modeOf(join(scratch, String(last - 1), 'notes.txt')), '644');
  });

  test('may be a symbolic link', async () => {
    const folder = folderWith(['berth.db']);
    symlinkSync(folder, join(scratch, 'link'));
    assert.deepEqual(await prepareDataDir(join(scratch, 'link')), []);
    assert.deepEqual([modeOf(folder), modeOf(join(folder, 'berth.db'))], ['700', '600']);
  });
});

test('paths whose mode cannot be changed are returned, missing paths are not', async () => {
  // Not even root can change its mode.
  const path = `/proc/${process.pid}/status`;
  assert.deepEqual(await restrictToOwner([path, join(scratch, 'nothing')]), [path]);
});
