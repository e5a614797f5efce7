// A reporter that only counts, as JSON. Plain JavaScript: older Nodes load it too.

/** Yields `{"passed":12,"failed":0,"skipped":0}`: tests, neither suites nor the files that hold them. */
export default async function* countTests(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details.type === 'suite') continue;
    if (data.skip !== undefined || data.todo !== undefined) counts.skipped++;
    else if (type === 'test:fail') counts.failed++;
    else if (!isFile(data)) counts.passed++;
  }
  yield JSON.stringify(counts);
}

/** A file passes under its own name when no test in it was run. */
function isFile({ name, nesting }) { return nesting === 0 && /\.test\.[jt]s$/.test(name); }
