import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { interruptUpload } from '../resume.ts';

const MIB = 1024 * 1024;

/**
 * A kill also loses the bytes in the kernel's socket buffers, which are a larger share of 30 MiB than of 300 MiB.
 */
for (const [by, lostPercent] of [
  ['cut', 1],
  ['kill', 30],
] as const) {
  test(
    `an upload with a ${by} every 30 MiB is stored intact, keeps acknowledged bytes and sends at ` +
      `most ${lostPercent} % again`,
    async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'berth-test-'));
      try {
        const report = await interruptUpload(dataDir, { sizeBytes: 128 * MIB, everyBytes: 30 * MIB, by });
        assert.deepEqual([report.interruptions, report.lostOffsets, report.isIntact], [4, 0, true]);
        assert.ok(report.sentAgainBytes <= (lostPercent / 100) * 128 * MIB, `${report.sentAgainBytes} bytes`);
      } finally {
        await rm(dataDir, { recursive: true });
      }
    },
  );
}
