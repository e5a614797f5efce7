// Reads the policy's test tables: a row per caller, a column per action, the expected outcome in each cell.

import type { Caller, policy, Refusal, Upload } from '../../src/access/index.ts';

/** Words of the cells, with the code and status of the error they stand for. */
export const OUTCOMES = {
  'yes': undefined,
  '401': { code: 'unauthenticated', status: 401 },
  '403': { code: 'forbidden', status: 403 },
  '404': { code: 'artefact_not_found', status: 404 },
  'not shared': { code: 'not_shared', status: 403 },
  'unknown': { code: 'upload_not_found', status: 404 },
  'no grant': { code: 'no_access_grant', status: 403 },
  'read only': { code: 'account_read_only', status: 403 },
  'scope': { code: 'key_scope', status: 403 },
};

type PolicyName = keyof typeof policy;
/** A function of the policy with its arguments, except the caller. */
export type Action = {
  [Name in PolicyName]: Parameters<(typeof policy)[Name]> extends [Caller, ...infer Rest] ? [Name, ...Rest] : never;
}[PolicyName];
export interface Matrix {
  actions: Record<string, Action>;
  cells: string;
}

export const UPLOAD: Upload = { id: '@acme/a@1', format: 'npm', category: 'processing', packageName: '@acme/a' };

/** Parses a table into its columns and the cells of each row by name. */
export function readTable(text: string): { columns: string[]; rows: Map<string, string[]> } {
  const [[, ...columns] = [], ...lines] = text
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return { columns, rows: new Map(lines.map(([name = '', ...cells]) => [name, cells])) };
}

/** Returns the word for a refusal. */
export function outcomeOf(refusal: Refusal): string {
  const found = Object.entries(OUTCOMES).find(
    ([, error]) => error?.code === refusal?.code && error?.status === refusal?.status,
  );
  return found?.[0] ?? String(refusal);
}
