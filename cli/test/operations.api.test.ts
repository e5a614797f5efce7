import assert from 'node:assert/strict';
import { globSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type * as declared from '../src/api.d.ts';
import { berth, berthJson, dataDir, directory, scratch, SECRET, url, withServedInstance } from './served-instance.ts';

withServedInstance();

describe('operations while the server runs', () => {
  test('backup reports what it copied, and warns about secrets that it cannot include', () => {
    assert.deepEqual(berth(['backup', directory]), {
      status: 0,
      stdout: `Backed up 2 artefacts and 2 blobs (10.0 kB) to ${directory}: 2 copied, 0 removed.\n`,
      stderr:
        'berth backup: secrets that the environment sets are NOT in the backup: SECRET_INTERNAL_SERVICES. ' +
        'Keep them elsewhere: the restored instance needs the same values\n',
    });
    const { blobs, lost } = berthJson(['backup', directory, '--verify', '--quiet']) as {
      blobs: object;
      lost: unknown[];
    };
    assert.deepEqual([blobs, lost], [{ count: 2, sizeBytes: 10_000, copied: 0, kept: 2, removed: 0 }, []]);
  });

  test('restore --blobs-only copies the blobs ahead of a restore, and says how to go on', () => {
    const other = { DATA_DIR: join(scratch, 'ahead') };
    const copy = () => berth(['restore', directory, '--blobs-only'], other).stdout;
    assert.match(
      copy(),
      /^Copied (\d+) blobs? of the backup of [^\n]+, in addition to 0 copied before\. Run berth restore /,
    );
    assert.match(copy(), /^Copied 0 blobs of the backup of [^\n]+, in addition to [1-9]\d* copied before\./);
    assert.match(
      berth(['gc'], other).stderr,
      /^berth gc: The restore into this database and storage is not complete\./,
    );
    assert.match(berth(['restore', directory], other).stdout, /^Restored /);
    assert.equal(berth(['gc'], other).status, 0);
  });

  test('restore fills an empty instance, and refuses one that is not empty', () => {
    const other = { DATA_DIR: join(scratch, 'restored') };
    const { status, stdout } = berth(['restore', directory], other);
    assert.equal(status, 0);
    assert.match(
      stdout,
      /^Restored 2 artefacts and 2 blobs \(10\.0 kB\) from the backup of 20\d\d-\d\d-\d\dT\S+Z\.\n$/,
    );
    assert.deepEqual(readFileSync(join(other.DATA_DIR, 'secrets.json')), readFileSync(join(dataDir, 'secrets.json')));
    assert.match(berth(['restore', directory], other).stderr, /^berth restore: The database is not empty [^\n]+\n$/);
    assert.equal(berth(['restore', directory], other).status, 1);
  });

  test('migrate, gc and scrub find nothing to do', () => {
    assert.deepEqual(berthJson(['migrate']), { migrated: [] });
    assert.deepEqual(berth(['migrate']), { status: 0, stdout: 'The database is up to date.\n', stderr: '' });
    assert.deepEqual(berth(['scrub']), {
      status: 0,
      stdout: 'Checked 2 blobs (10.0 kB): 0 damaged, 0 missing.\n',
      stderr: '',
    });
    assert.match(
      berth(['gc', '--dry-run']).stdout,
      /^Would delete 0 blobs, 0 orphaned objects and 0 stale uploads \(0 B\)\.\n$/,
    );
  });

  test('gc deletes the blob of a deleted artefact', async () => {
    const { status } = await fetch(`${url}/api/v1/artefacts/other`, {
      method: 'DELETE',
      headers: { 'x-secret-key': SECRET },
    });
    assert.equal(status, 204);
    const { removedBlobs, digests } = berthJson(['gc', '--dry-run']) as { removedBlobs: number; digests: string[] };
    assert.deepEqual([removedBlobs, digests.length], [1, 1]);
    assert.match(berth(['gc']).stdout, /^Deleted 1 blob, /);
  });

  test('scrub and backup report the artefacts whose blobs are damaged, and exit with status 1', () => {
    for (const file of globSync('*/*', { cwd: join(dataDir, 'blobs') }))
      truncateSync(join(dataDir, 'blobs', file), 10);
    const scrubbed = berth(['scrub']);
    assert.equal(scrubbed.status, 1);
    assert.match(scrubbed.stdout, /: 1 damaged, 0 missing\.\n$/);
    assert.match(
      scrubbed.stderr,
      /^berth scrub: upload the same files again:\n {2}size {2}sha256:[0-9a-f]{64} {2}tiles\n$/,
    );
    const saved = berth(['backup', join(scratch, 'lossy')]);
    assert.equal(saved.status, 1);
    assert.ok(saved.stderr.includes('\nberth backup: 1 blob could not be copied; upload the same files again:\n'));
    assert.match(saved.stderr, /again:\n {2}damaged {2}sha256:[0-9a-f]{64} {2}tiles\n$/);
    const lost = berth(['restore', join(scratch, 'lossy')], { DATA_DIR: join(scratch, 'lossy-target') });
    assert.equal(lost.status, 1);
    assert.match(
      lost.stderr,
      /^berth restore: [^\n]+ has missing or damaged blobs of tiles\. [^\n]+--allow-lost\.\n$/,
    );
  });
});

test('the server exports what api.d.ts declares', async () => {
  const server: typeof declared = await import('../../api/index.ts');
  for (const name of ['serve', 'backup', 'restore', 'migrateDatabase', 'resetSecrets', 'sweep', 'scrub'] as const)
    assert.equal(typeof server[name], 'function');
});
