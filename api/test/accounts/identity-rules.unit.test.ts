import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decide, readIdentity, type Candidate } from '../../src/accounts/oidc/identity.ts';

const ISSUER = 'https://login.example.org';
const UMA = { sub: '42', email: 'uma@acme.example', email_verified: true, name: 'Uma' };

describe('a profile', () => {
  const read = (changes: object) => readIdentity({ ...UMA, ...changes }, ISSUER);

  test('is an identity of its issuer and subject', () => {
    assert.deepEqual(read({}), {
      key: 'https://login.example.org 42',
      email: 'uma@acme.example',
      isVerified: true,
      name: 'Uma',
    });
  });

  test('is verified only by its claim, email_verified unless another is named', () => {
    for (const email_verified of [true, 'true', 1, '1']) assert.equal(read({ email_verified })?.isVerified, true);
    for (const email_verified of [false, 'false', undefined, null, 0, 'yes', ['true'], {}])
      assert.equal(read({ email_verified, emailVerified: true })?.isVerified, false, JSON.stringify(email_verified));
    const readBy = (claim: string, changes: object) => readIdentity({ ...UMA, ...changes }, ISSUER, claim)?.isVerified;
    assert.deepEqual([readBy('xms_edov', {}), readBy('xms_edov', { xms_edov: '1' })], [false, true]);
  });

  test('without a subject is none', () => {
    for (const sub of [undefined, null, '', 7, {}]) assert.equal(read({ sub }), undefined);
  });

  test('has an address and a name only if they can be stored', () => {
    assert.equal(read({ email: ' Uma@ACME.example ' })?.email, 'uma@acme.example');
    for (const email of [undefined, null, '', 'uma', 'u ma@acme.example', 'uma@acme@x', 'a\0@b.example', 7])
      assert.equal(read({ email })?.email, undefined, JSON.stringify(email));
    assert.equal(read({ name: ' Uma\n\0of Acme ' })?.name, 'Uma of Acme');
    for (const name of [undefined, null, '', ' ', '\n', 7]) assert.equal(read({ name })?.name, undefined);
  });
});

describe('a person with identities from before issuers were stored', () => {
  const identity = { key: `${ISSUER} 42`, email: 'uma@acme.example', isVerified: true, name: 'Uma' };
  const holder = (keys: string[], isProved = true): Candidate => ({ id: 'uma', isProved, isDisabled: false, keys });
  const decided = (keys: string[], isProved?: boolean) => {
    const decision = decide(identity, undefined, holder(keys, isProved));
    return decision.action === 'refuse' ? decision.refusal : decision.action;
  };

  test('is linked by the verified address if the subject is theirs, or the address was not proved', () => {
    assert.equal(decided(['unknown 42']), 'link');
    assert.equal(decided(['unknown 41', 'unknown 42']), 'link');
    assert.equal(decided(['unknown 41'], false), 'take-over');
  });

  test('is refused if the subject is another', () => {
    assert.equal(decided(['unknown 41']), 'another_subject');
    assert.equal(decided(['unknown 42', `${ISSUER} 41`]), 'another_subject');
  });

  test('is linked beside identities of other issuers', () => {
    assert.equal(decided(['https://old.example.org 42', 'https://old.example.org 41']), 'link');
  });
});
