import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { interruptUpload } from '../resume.ts';

const MIB = 1024 * 1024;

/**
 * A kill loses what is in the kernel's buffers between client and server as well, which of 30 MiB is more than of 300.
 */
for (const [by, lostPercent] of [
  ['cut', 1],
  ['kill', 30],
] as const) {
  test(
    `an upload with a ${by} every 30 MiB arrives whole, nothing acknowledged is forgotten and at ` +
      `most ${lostPercent} % is sent again`,
    async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'berth-test-'));
      try {
        const report = await interruptUpload(dataDir, { sizeBytes: 128 * MIB, everyBytes: 30 * MIB, by });
        assert.deepEqual([report.interruptions, report.forgotten, report.arrived], [4, 0, true]);
        assert.ok(report.sentAgainBytes <= (lostPercent / 100) * 128 * MIB, `${report.sentAgainBytes} bytes`);
      } finally {
        await rm(dataDir, { recursive: true });
      }
    },
  );
}
