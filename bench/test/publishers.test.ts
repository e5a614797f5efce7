import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runPublishers } from '../publishers.ts';

test('50 concurrent publishers over three replicas lose no slot and mix no document', async () => {
  const report = await runPublishers({ publishers: 50, rounds: 3 });
  assert.deepEqual(report.broken, []);
  assert.equal(report.uploads, 150);
  assert.ok(report.documentsRead > 10, 'documents must have been read during the uploads');
});
