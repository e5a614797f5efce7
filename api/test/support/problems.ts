// Assertions on problem documents.

import assert from 'node:assert/strict';

export interface Problem {
  status: number;
  title: string;
  detail: string;
  code: string;
  requestId: string;
  errors?: { path: string; message: string }[];
}

/** What clients must never see: stacks, SQL, system errors, paths of the server, secrets of the tests. */
const LEAKS = [
  /\bat .*:\d+:\d+/,
  /node_modules|file:\/\//,
  /\b(select|insert|update|delete)\b.*\b(from|into|set|where)\b/i,
  /\bE[A-Z]{4,}\b|SQLITE|SQLSTATE/,
  /\/(tmp|var|home|work|root|etc)\//,
  /internal-secret|reg_[0-9a-f]{8}_/,
];

/** Reads a problem document; asserts its status and code, that it is complete, and that it leaks nothing. */
export async function readProblem(response: Response, status: number, code: string): Promise<Problem> {
  const text = await response.text();
  assert.deepEqual([response.status, codeOf(text)], [status, code], text);
  assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json(;|$)/);
  const problem = JSON.parse(text) as Problem;
  assert.equal(problem.status, status);
  assert.ok(problem.title.length > 0 && problem.detail.length > 10, text);
  assert.equal(problem.requestId, response.headers.get('x-request-id'));
  assertNoLeak(text);
  return problem;
}

export function assertNoLeak(text: string): void {
  for (const leak of LEAKS) assert.doesNotMatch(text, leak);
}

function codeOf(text: string): unknown {
  try {
    return (JSON.parse(text) as Partial<Problem>).code;
  } catch {
    return text;
  }
}
