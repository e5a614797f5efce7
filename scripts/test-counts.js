// A reporter that counts, as JSON. Plain JavaScript: older Nodes load it too.

import { relative } from 'node:path';

/**
 * Yields `{"passed":12,"failed":0,"skipped":0,"files":[{"file":"api/test/x.test.ts","seconds":1.2}]}`: tests, neither
 * suites nor the files that hold them, and how long each file took. Node 20 does not tell the latter: there `files` is
 * empty. /
 */
export default async function* countTests(events) {
  const counts = { passed: 0, failed: 0, skipped: 0, files: [] };
  for await (const { type, data } of events) {
    if (type === 'test:summary' && data.file !== undefined) counts.files.push(timeOf(data));
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details.type === 'suite') continue;
    if (data.skip !== undefined || data.todo !== undefined) counts.skipped++;
    else if (type === 'test:fail') counts.failed++;
    else if (!isFile(data)) counts.passed++;
  }
  yield JSON.stringify(counts);
}

function timeOf({ file, duration_ms: durationMs }) {
  return { file: relative(process.cwd(), file), seconds: Math.round(durationMs / 100) / 10 };
}

/** A file passes under its own name when no test in it was run. */
function isFile({ name, nesting }) {
  return nesting === 0 && /\.test\.[jt]s$/.test(name);
}
