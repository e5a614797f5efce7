import assert from 'node:assert/strict';
import { globSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type * as declared from '../src/api.d.ts';
import { berth, berthJson, dataDir, directory, scratch, SECRET, url, withServedInstance } from './served-instance.ts';

withServedInstance();

describe('beside a server that serves', () => {
  test('backup says what it did, and warns of secrets that it cannot have', () => {
    assert.deepEqual(berth(['backup', directory]), {
      status: 0,
      stdout: `${directory} has 2 artefacts with 2 blobs (10.0 kB); 2 copied now, 0 removed.\n`,
      stderr:
        'berth backup: SECRET_INTERNAL_SERVICES is NOT in the backup, since the environment gives it: keep it ' +
        'elsewhere, since the instance needs the same one after a restore\n',
    });
    const { blobs, lost } = berthJson(['backup', directory, '--verify', '--quiet']) as {
      blobs: object;
      lost: unknown[];
    };
    assert.deepEqual([blobs, lost], [{ count: 2, sizeBytes: 10_000, copied: 0, kept: 2, removed: 0 }, []]);
  });

  test('restore fills an empty instance once, and says why not a second time', () => {
    const other = { DATA_DIR: join(scratch, 'restored') };
    const { status, stdout } = berth(['restore', directory], other);
    assert.equal(status, 0);
    assert.match(
      stdout,
      /^Restored 2 artefacts with 2 blobs \(10\.0 kB\), as they were at 20\d\d-\d\d-\d\dT\S+Z\.\n$/,
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
      stdout: 'Read 2 blobs (10.0 kB): 0 damaged, 0 missing.\n',
      stderr: '',
    });
    assert.match(
      berth(['gc', '--dry-run']).stdout,
      /^Would remove 0 blobs, 0 objects that no row names and 0 dead uploads \(0 B\)\.\n$/,
    );
  });

  test('gc removes what a deletion has left', async () => {
    const { status } = await fetch(`${url}/api/v1/artefacts/other`, {
      method: 'DELETE',
      headers: { 'x-secret-key': SECRET },
    });
    assert.equal(status, 204);
    const { removedBlobs, digests } = berthJson(['gc', '--dry-run']) as { removedBlobs: number; digests: string[] };
    assert.deepEqual([removedBlobs, digests.length], [1, 1]);
    assert.match(berth(['gc']).stdout, /^Removed 1 blob, /);
  });

  test('scrub and backup name the artefacts whose bytes are damaged, and exit 1', () => {
    for (const file of globSync('*/*', { cwd: join(dataDir, 'blobs') }))
      truncateSync(join(dataDir, 'blobs', file), 10);
    const scrubbed = berth(['scrub']);
    assert.equal(scrubbed.status, 1);
    assert.match(scrubbed.stdout, /: 1 damaged, 0 missing\.\n$/);
    assert.match(
      scrubbed.stderr,
      /^berth scrub: upload these bytes again:\n {2}size {2}sha256:[0-9a-f]{64} {2}tiles\n$/,
    );
    const saved = berth(['backup', join(scratch, 'lossy')]);
    assert.equal(saved.status, 1);
    assert.match(
      saved.stderr,
      /\nberth backup: 1 blob could not be copied; upload the bytes again:\n {2}damaged {2}sha256:[0-9a-f]{64} {2}tiles\n$/,
    );
    const lost = berth(['restore', join(scratch, 'lossy')], { DATA_DIR: join(scratch, 'lossy-target') });
    assert.equal(lost.status, 1);
    assert.match(lost.stderr, /^berth restore: [^\n]+ lacks the right bytes of tiles: [^\n]+--allow-lost\.\n$/);
  });
});

test('the server has what the command expects of it, by types', async () => {
  const server: typeof declared = await import('../../api/index.ts');
  for (const name of ['serve', 'backup', 'restore', 'migrateDatabase', 'sweep', 'scrub'] as const)
    assert.equal(typeof server[name], 'function');
});
