import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runUpkeep, SITES } from '../upkeep.ts';

for (const [name, openSite] of Object.entries(SITES)) {
  test(`no request fails while sweeps and scrubs run continuously on ${name}`, async () => {
    const report = await runUpkeep(3, openSite);
    assert.deepEqual(report.failed, []);
    assert.ok(report.removedBlobs > 0, 'sweeps must have removed something');
    assert.ok(report.checkedBlobs > 0, 'scrubs must have read something');
    assert.ok(report.requests > 20);
  });
}
