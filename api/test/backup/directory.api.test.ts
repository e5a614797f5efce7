import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { backup, restore } from '../../index.ts';
import type { Manifest } from '../../src/backup/index.ts';
import { migrate, type DialectName } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';
import { createTestInstance, EMBEDDED, expectOk, SECRETS, type TestInstance } from './instance.ts';

let scratch: string;
let instance: TestInstance;
let whole: string;

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-directory-'));
  instance = await createTestInstance(EMBEDDED);
  const server = await instance.start();
  await expectOk(server.upload('tiles', { format: 'file', file: new Uint8Array(10) }));
  await server.close();
  whole = join(scratch, 'whole');
  await backup(instance.env, whole);
});
after(async () => {
  await instance.remove();
  await rm(scratch, { recursive: true });
});

const readManifest = async (directory: string) =>
  JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')) as Manifest;
const writeManifest = (directory: string, manifest: unknown) =>
  writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
const snapshotOf = async (directory: string) => join(directory, (await readManifest(directory)).snapshot);

/**
 * Copies the backup, changes the copy, and tries to restore it into an empty instance, which must stay empty. Returns
 * the error code.
 */
async function refusalAfter(change: (directory: string) => Promise<unknown>): Promise<string> {
  const directory = await mkdtemp(join(scratch, 'changed-'));
  await cp(whole, directory, { recursive: true });
  await change(directory);
  return withTarget(async (target) => {
    const { code } = await restore(target.env, directory).then(
      () => ({ code: 'none' }),
      (error: { code: string }) => error,
    );
    await (await target.start()).close();
    return code;
  });
}

async function withTarget<T>(work: (target: TestInstance) => Promise<T>, combination = EMBEDDED): Promise<T> {
  const target = await createTestInstance(combination);
  try {
    return await work(target);
  } finally {
    await target.remove();
  }
}

/** Downgrades a backup to an older schema: removes the migrations after `last`, and their tables and columns. */
async function makeOlder(directory: string, dialect: DialectName, last: string): Promise<void> {
  const { database, close } = await openTestDatabase(dialect, { migrated: false });
  await migrate(database, { upTo: last });
  const columns = new Map(
    (await database.db.introspection.getTables()).map((table) => [
      table.name,
      new Set(table.columns.map(({ name }) => name)),
    ]),
  );
  await close();
  const manifest = await readManifest(directory);
  const tables = await Promise.all(
    manifest.tables
      .filter(({ name }) => columns.has(name))
      .map(async (table) => {
        const path = join(directory, manifest.snapshot, `${table.name}.jsonl`);
        const rows = (await readFile(path, 'utf8'))
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => Object.entries(JSON.parse(line) as object));
        const text = rows
          .map(
            (row) =>
              `${JSON.stringify(Object.fromEntries(row.filter(([name]) => columns.get(table.name)?.has(name))))}\n`,
          )
          .join('');
        await writeFile(path, text);
        return {
          ...table,
          digest: `sha256:${createHash('sha256').update(text).digest('hex')}`,
          sizeBytes: Buffer.byteLength(text),
        };
      }),
  );
  await writeManifest(directory, {
    ...manifest,
    tables,
    migrations: manifest.migrations.filter((name) => name <= last),
  });
}

describe('a restore refuses, before it changes anything,', () => {
  test('a directory that is not a backup', async () => {
    assert.equal(await refusalAfter((directory) => rm(join(directory, 'manifest.json'))), 'backup_invalid');
    assert.equal(await refusalAfter((directory) => rm(directory, { recursive: true })), 'backup_invalid');
    assert.equal(
      await refusalAfter((directory) => writeFile(join(directory, 'manifest.json'), '{"format":"berth-backup"')),
      'backup_invalid',
    );
    assert.equal(
      await refusalAfter(async (directory) =>
        writeManifest(directory, { ...(await readManifest(directory)), snapshot: '../../etc' }),
      ),
      'backup_invalid',
    );
    assert.equal(
      await refusalAfter(async (directory) => {
        const manifest = await readManifest(directory);
        await writeManifest(directory, {
          ...manifest,
          tables: manifest.tables.map((table) => ({ ...table, name: '../x' })),
        });
      }),
      'backup_invalid',
    );
  });

  test('a backup whose tables were changed or are missing', async () => {
    assert.equal(
      await refusalAfter(async (directory) =>
        writeFile(join(await snapshotOf(directory), 'api_keys.jsonl'), '{"id":"mine"}\n'),
      ),
      'backup_invalid',
    );
    assert.equal(
      await refusalAfter(async (directory) => rm(join(await snapshotOf(directory), 'user.jsonl'))),
      'backup_directory_unusable',
    );
  });

  test('a backup of a newer version', async () => {
    assert.equal(
      await refusalAfter(async (directory) =>
        writeManifest(directory, { ...(await readManifest(directory)), formatVersion: 2 }),
      ),
      'backup_too_new',
    );
    assert.equal(
      await refusalAfter(async (directory) => {
        const manifest = await readManifest(directory);
        await writeManifest(directory, { ...manifest, migrations: [...manifest.migrations, '9999-future'] });
      }),
      'backup_too_new',
    );
  });

  test('a backup that lacks blobs', async () => {
    assert.equal(
      await refusalAfter((directory) => rm(join(directory, 'blobs'), { recursive: true })),
      'backup_lost_blobs',
    );
  });
});

for (const blobsOnly of [false, true]) {
  test(`a restore ${blobsOnly ? 'of the blobs ' : ''}refuses an instance that is not empty`, async () => {
    await withTarget(async (target) => {
      await (await target.start()).close();
      await assert.rejects(restore(target.env, whole, { blobsOnly }), {
        code: 'restore_target_not_empty',
        message: /^The database is not empty \(\w+ has rows\)/,
      });
      await (await target.start()).close();
    });
    // Also the storage of the original instance itself, whose keys are those of the backup.
    await withTarget(async (target) => {
      await cp(join(instance.env['DATA_DIR'] ?? '', 'blobs'), join(target.env['DATA_DIR'] ?? '', 'blobs'), {
        recursive: true,
      });
      await assert.rejects(restore(target.env, whole, { blobsOnly }), {
        code: 'restore_target_not_empty',
        message: /^The storage is not empty/,
      });
    });
  });
}

for (const dialect of DIALECTS) {
  test(`a backup of an older schema is restored unchanged and then migrated, on ${dialect}`, async () => {
    const directory = await mkdtemp(join(scratch, 'older-'));
    await cp(whole, directory, { recursive: true });
    await makeOlder(directory, dialect, '0004-transfers');
    await withTarget(
      async (target) => {
        await restore(target.env, directory);
        const server = await target.start();
        assert.equal((await server.api('GET', '/artefacts/tiles/download', { headers: server.internal })).status, 200);
        await server.close();
      },
      { dialect, storage: 'fs' },
    );
  });
}

test('a backup is only written to a directory that is missing, empty or a backup', async () => {
  const other = join(scratch, 'other');
  await mkdir(other);
  await writeFile(join(other, 'letter.txt'), 'Dear friend');
  await assert.rejects(backup(instance.env, other), { code: 'backup_invalid', message: /contains letter\.txt/ });
  await assert.rejects(backup(instance.env, join(other, 'letter.txt')), {
    code: 'backup_directory_unusable',
    message: /letter\.txt is not a directory\.$/,
  });
  assert.deepEqual(await readdir(other), ['letter.txt']);
  const [{ snapshot: first }, again] = [await readManifest(whole), await backup(instance.env, whole)];
  assert.deepEqual([again.blobs.copied, again.blobs.kept], [0, 1]);
  assert.deepEqual((await readdir(whole)).toSorted(), [
    'blobs',
    'manifest.json',
    (await readManifest(whole)).snapshot,
  ]);
  assert.notEqual((await readManifest(whole)).snapshot, first);
});

test('a backup requires an existing instance', async () => {
  await assert.rejects(backup({ ...SECRETS, DATA_DIR: join(scratch, 'nowhere') }, join(scratch, 'never')), {
    name: 'ConfigError',
    message: /contains no berth\.db/,
  });
});
