// A test reporter that yields counts as JSON. Plain JavaScript, since older Node versions load it too.

import { relative } from 'node:path';

/**
 * Yields `{"passed":12,"failed":0,"skipped":0,"files":[{"file":"api/test/x.test.ts","seconds":1.2}]}`. Counts tests,
 * not suites or files; `files` has the duration of each file. Node 20 does not report it, so there `files` is empty.
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

/** Whether the event is a file's: a file in which no test ran passes under its own name. */
function isFile({ name, nesting }) {
  return nesting === 0 && /\.test\.[jt]s$/.test(name);
}
