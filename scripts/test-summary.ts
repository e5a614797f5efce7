// The summary of a test run: data/test-summary.json, and the same as text for the terminal.

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { repositoryRoot } from './runtime.ts';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  files: FileTime[];
}

export interface FileTime {
  file: string;
  seconds: number;
}

export interface Summary {
  /** From the start of the command to the end of the last test. */
  seconds: number;
  /** CPU time of the whole machine during the run, including databases, S3 server and browsers. */
  cpuSeconds: number;
  tests: number;
  /** The twenty slowest files, slowest first. */
  slowest: FileTime[];
}

const SUMMARY_FILE = join(repositoryRoot, 'data/test-summary.json');
const MAX_SLOWEST = 20;

/** Longer files are listed at the end of a run: split them, or move them to a part of `npm run test:full`. */
export const MAX_FILE_SECONDS = 25;

/** Files that may take longer, each with the reason. */
export const SLOW_FILES: Readonly<Record<string, string>> = {
  'api/test/access/failing-parts.api.test.ts': 'sends each writing route twice for each of four faults',
  'api/test/backup/interrupted.api.test.ts':
    'each of its kills starts a process, kills it and checks a complete instance',
  'api/test/blobs/hanging-s3.api.test.ts': 'waits until requests to a stopped S3 server are given up',
  'api/test/blobs/s3-writing.unit.test.ts':
    'its cases store blobs of several parts on a real S3 server, one after the other',
  'api/test/blobs/s3.unit.test.ts': 'its cases store blobs of several parts on a real S3 server, one after the other',
  'api/test/db/outage.api.test.ts': 'waits out an outage of ten seconds',
  'scripts/test/demo.api.test.ts': 'the plug-in of the demo runs for 12 s, twice',
};

/** Starts measuring. @returns a function that creates the summary of the tests since then */
export function startSummary(): (results: Counts[]) => Summary {
  const startedAt = performance.now();
  const busyBefore = busySeconds();
  return (results) => {
    const files = results.flatMap((counts) => counts.files).sort((a, b) => b.seconds - a.seconds);
    return {
      seconds: Math.round((performance.now() - startedAt) / 1000),
      cpuSeconds: Math.round(busySeconds() - busyBefore),
      tests: results.reduce((sum, { passed, failed }) => sum + passed + failed, 0),
      slowest: files.slice(0, MAX_SLOWEST),
    };
  };
}

/** Writes data/test-summary.json. */
export function writeSummary(summary: Summary): void {
  mkdirSync(dirname(SUMMARY_FILE), { recursive: true });
  writeFileSync(SUMMARY_FILE, `${JSON.stringify(summary, null, 2)}\n`);
}

/** Lines for the terminal: the slowest files and the total times. */
export function describeSummary({ seconds, cpuSeconds, tests, slowest }: Summary): string {
  const rows = slowest.map(({ file, seconds: fileSeconds }) => `${fileSeconds.toFixed(1).padStart(7)} s  ${file}`);
  return `Slowest files:\n${rows.join('\n')}\n${tests} tests in ${seconds} s, ${cpuSeconds} s of CPU time`;
}

/** Files over MAX_FILE_SECONDS without a reason. */
export function tooSlow({ slowest }: Summary): FileTime[] {
  return slowest.filter(({ file, seconds }) => seconds > MAX_FILE_SECONDS && SLOW_FILES[file] === undefined);
}

function busySeconds(): number {
  const busyMs = cpus().reduce((sum, { times: { user, nice, sys, irq } }) => sum + user + nice + sys + irq, 0);
  return busyMs / 1000;
}
