// Checks every caller against every function of the policy; the expected outcomes are in policy-artefacts.ts and
// policy-accounts.ts.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Caller, Refusal } from '../../src/access/index.ts';
import { enforce, policy } from '../../src/access/index.ts';
import { CALLER_NAMES, CALLERS, type CallerName } from './callers.ts';
import { ACCOUNT_MATRICES } from './policy-accounts.ts';
import { ARTEFACT_MATRICES } from './policy-artefacts.ts';
import { outcomeOf, readTable, type Action } from './policy-table.ts';

const MATRICES = { ...ARTEFACT_MATRICES, ...ACCOUNT_MATRICES };

for (const [name, { actions, cells }] of Object.entries(MATRICES)) {
  describe(name, () => {
    const { columns, rows } = readTable(cells);
    test('every caller and every action has a cell', () => {
      assert.deepEqual(columns, Object.keys(actions));
      assert.deepEqual([...rows.keys()], CALLER_NAMES);
    });
    for (const [caller, outcomes] of rows) {
      test(`${caller}: ${outcomes.map((outcome, index) => `${columns[index]} ${outcome}`).join(', ')}`, () => {
        assert.deepEqual(
          columns.map((column) => outcomeOf(check(CALLERS[caller as CallerName], actions[column]!))),
          outcomes,
        );
      });
    }
  });
}

test('every function of the policy is in a matrix', () => {
  const covered = new Set(
    Object.values(MATRICES)
      .flatMap(({ actions }) => Object.values(actions))
      .map(([name]) => name),
  );
  assert.deepEqual([...covered].sort(), Object.keys(policy).sort());
});

test('enforce throws a refusal and does nothing for an allowed action', () => {
  assert.throws(
    () => {
      enforce(policy.editArtefact(CALLERS.anonymous));
    },
    { code: 'unauthenticated', status: 401 },
  );
  enforce(policy.editArtefact(CALLERS.superadmin));
});

function check(caller: Caller, [name, ...args]: Action): Refusal {
  return (policy[name] as (caller: Caller, ...args: unknown[]) => Refusal)(caller, ...args);
}
