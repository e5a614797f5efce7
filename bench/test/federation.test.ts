import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readWhileRefreshing, runMirrorCrashes } from '../federation-crash.ts';

test('after kills of upstream and mirror, one run makes both equal', async () => {
  const report = await runMirrorCrashes(8);
  assert.deepEqual([report.broken, report.kills], [[], 8]);
  assert.ok(report.hits > 0, 'some kill must have hit a synchronisation');
});

test('consumers of a mirror get only valid bytes while it is refreshed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-refresh-'));
  try {
    const report = await readWhileRefreshing(directory, { consumers: 50, refreshes: 2 });
    assert.deepEqual(report.broken, []);
    assert.ok(
      report.versions > 3,
      `${report.versions} tarballs in ${report.reads} reads must be more than the initial ones`,
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});
