// Tables of the policy: a cell names what a caller gets.

import type { Refusal, Upload } from '../../src/access/index.ts';

/** What stands in the cells, and the error's code and status that it means. */
export const OUTCOMES = {
  'yes': undefined,
  '401': { code: 'unauthenticated', status: 401 },
  '403': { code: 'forbidden', status: 403 },
  '404': { code: 'artefact_not_found', status: 404 },
  'unknown': { code: 'upload_not_found', status: 404 },
  'no grant': { code: 'no_access_grant', status: 403 },
  'read only': { code: 'account_read_only', status: 403 },
  'scope': { code: 'key_scope', status: 403 },
};

export const UPLOAD: Upload = { id: '@acme/a@1', format: 'npm', category: 'processing', packageName: '@acme/a' };

/** Reads a table: its columns, and the cells of each row by its name. */
export function readTable(text: string): { columns: string[]; rows: Map<string, string[]> } {
  const [[, ...columns] = [], ...lines] = text
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return { columns, rows: new Map(lines.map(([name = '', ...cells]) => [name, cells])) };
}

export function outcomeOf(refusal: Refusal): string {
  const found = Object.entries(OUTCOMES).find(
    ([, error]) => error?.code === refusal?.code && error?.status === refusal?.status,
  );
  return found?.[0] ?? String(refusal);
}
