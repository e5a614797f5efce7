import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCrashes, SITES } from '../crash.ts';

for (const [name, openSite] of Object.entries(SITES)) {
  test(`20 random kills during uploads, swaps, deletions, sweeps and backups break nothing on ${name}`, async () => {
    const report = await runCrashes(20, openSite);
    assert.deepEqual(report.broken, []);
    assert.equal(report.kills, 20);
    assert.ok(report.acknowledged > 0, 'some requests must have been acknowledged');
    assert.ok(report.unanswered > 0, 'some requests must have been interrupted');
    assert.ok(
      report.sweeps >= 9,
      `${report.sweeps} sweeps: expected one per round without a backup, except the first`,
    );
  });
}
