// Who ends up as whom when people come through an OpenID provider: every way in which a user was made, with everything
// that a person may look like.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-server.ts';
import { ARRIVALS, observeAll, ORIGINS, type Arrival, type Origin, type Outcome } from './identity-matrix.ts';

const REFUSALS: Partial<Record<Arrival, string>> = {
  'with the address of another user': 'email_of_another_user',
  'as a second subject': 'another_subject',
};

function expected(origin: Origin, arrival: Arrival): Outcome {
  const isProviders = origin === 'made by the provider';
  const wasProved = origin !== 'invited by a link that was shown';
  const isVerified = arrival !== 'unverified';
  const isLinked = isVerified && !isProviders;
  const isLinkedAgain = arrival === 'from a second issuer';
  const isTakenOver = isLinked && !wasProved;
  const refusal = isVerified || isProviders ? REFUSALS[arrival] : 'email_not_verified';
  const isSomebodyNew = arrival === 'as somebody else with the same subject at a second issuer';
  return {
    who: refusal !== undefined ? `refused: ${refusal}` : isSomebodyNew ? 'somebody new' : 'the user',
    session: !isLinked && !isLinkedAgain,
    password: !isTakenOver,
    secondFactor: !isTakenOver,
    key: !isTakenOver,
    address: arrival === 'with a changed address' ? 'new' : 'old',
    isProved: wasProved || isLinked,
  };
}

for (const dialect of DIALECTS) {
  describe(`a person comes through the provider, on ${dialect}`, () => {
    let outcomes: Awaited<ReturnType<typeof observeAll>>;
    before(async () => {
      outcomes = await observeAll(dialect);
    });

    for (const origin of ORIGINS)
      for (const arrival of Object.keys(ARRIVALS) as Arrival[])
        test(`${arrival}, to a user ${origin}`, () => {
          assert.deepEqual(outcomes[origin][arrival], expected(origin, arrival));
        });
  });
}
