import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCrashes } from '../crash.ts';

test('20 kills at random moments of uploads break nothing', async () => {
  const report = await runCrashes(20);
  assert.deepEqual(report.broken, []);
  assert.equal(report.kills, 20);
  assert.ok(report.acknowledged > 0, 'some uploads must have been acknowledged');
  assert.ok(report.unanswered > 0, 'some uploads must have been cut');
});
