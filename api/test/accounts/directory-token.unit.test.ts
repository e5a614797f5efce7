import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createTokenCheck } from '../../src/accounts/directory/token.ts';
import { startTestDirectory, type TestDirectory } from '../support/directory.ts';

const UMA = { id: 'uma', name: 'Uma' };

/** Payloads of the session tokens that the service issues. */
const SESSIONS: Record<string, object> = {
  'of a user without organisations': { id: 'uma', email: 'uma@acme.example', name: 'Uma', organizations: [] },
  'of a member, with every optional claim': {
    id: 'uma',
    email: 'uma@acme.example',
    name: 'Uma',
    organizations: [{ id: 'acme', name: 'Acme', role: 'admin', department: 'sea', departmentName: 'Sea', dflt: 1 }],
    ipa: 1,
    pd: '2030-01-01',
    os: 1,
    idp: 1,
    rememberMe: 1,
    siteOwner: { type: 'organization', id: 'acme', name: 'Acme' },
  },
  'of a superadmin in admin mode': {
    id: '_superadmin',
    email: 'root@example.org',
    name: 'Super Admin',
    organizations: [],
    isAdmin: 1,
    adminMode: 1,
  },
  'of a superadmin who acts as a user': {
    id: 'uma',
    email: 'uma@acme.example',
    name: 'Uma (administration)',
    organizations: [],
    asAdmin: { id: 'root', name: 'Root' },
    asAdminOrg: { id: 'acme', name: 'Acme', role: 'admin' },
  },
};

/** Payloads of the service's other tokens, signed with the same keys. */
const OTHERS: Record<string, object> = {
  'that completes a sign-in': { ...SESSIONS['of a superadmin in admin mode'], temporary: true },
  'that confirms an address': {
    ...SESSIONS['of a user without organisations'],
    emailConfirmed: true,
    temporary: true,
  },
  'that confirms an action': { id: 'uma', email: 'uma@acme.example', action: 'changePassword' },
  'of an invitation': { id: 'acme', n: 'Acme', e: 'uma@acme.example', r: 'admin' },
  'of an invitation of earlier versions': { id: 'acme', name: 'Acme', email: 'uma@acme.example', role: 'admin' },
  'of a partner invitation': { o: 'acme', on: 'Acme', p: 'partner', n: 'Uma', e: 'uma@acme.example' },
  'that prolongs a session': { user: 'uma', session: 'a-session', adminMode: 1 },
  'of a trusted device': { user: 'uma' },
  'of an anonymous form': { anonymousAction: true, validation: 'wait' },
};

describe('the check of a token', () => {
  let directory: TestDirectory;
  before(async () => {
    directory = await startTestDirectory();
  });
  after(() => directory.stop());
  const sign = (payload: object, claims: object = {}) =>
    directory.sign({ id: '' }, { claims: { id: undefined, organizations: undefined, ...payload, ...claims } });

  for (const [kind, payload] of Object.entries(SESSIONS))
    test(`accepts a session token ${kind}`, async () => {
      const check = createTokenCheck({ directoryUrl: directory.url });
      assert.equal((await check(await sign(payload)))?.id, (payload as { id: string }).id);
    });

  for (const [kind, payload] of Object.entries(OTHERS))
    test(`refuses a token ${kind}`, async () => {
      const check = createTokenCheck({ directoryUrl: directory.url });
      await assert.rejects(check(await sign(payload)), { code: 'session_invalid' });
    });

  test('requires the issuer and the audience that are set, and only those', async () => {
    const session = SESSIONS['of a user without organisations']!;
    const options = [{}, { issuer: 'https://example.org/sd' }, { audience: 'berth' }];
    const claims = [
      {},
      { iss: 'https://example.org/sd' },
      { iss: 'https://example.org/other' },
      { aud: 'berth' },
      { aud: ['other', 'berth'] },
      { aud: 'other' },
    ];
    const accepted = [];
    for (const option of options) {
      const check = createTokenCheck({ directoryUrl: directory.url, ...option });
      for (const claim of claims) {
        const result = await check(await sign(session, claim)).then(
          () => true,
          (error: unknown) => (error as { code: string }).code,
        );
        if (result === true) accepted.push([option, claim]);
        else assert.equal(result, 'session_invalid');
      }
    }
    assert.deepEqual(accepted, [
      ...claims.map((claim) => [{}, claim]),
      [options[1], claims[1]],
      [options[2], claims[3]],
      [options[2], claims[4]],
    ]);
  });

  test('accepts a new key as soon as the cool-down has passed', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysCooldownMs: 0 });
    assert.equal((await check(await directory.sign(UMA)))?.id, 'uma');
    await directory.rotate({ keep: true });
    assert.equal((await check(await directory.sign(UMA)))?.id, 'uma');
  });

  test('refuses a withdrawn key, even for a token that was accepted before', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysMaxAgeMs: 1, keysCooldownMs: 0 });
    const token = await directory.sign(UMA);
    assert.equal((await check(token))?.id, 'uma');
    await directory.rotate();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    await assert.rejects(check(token), { code: 'session_invalid' });
  });

  test('does not accept a cached token after its expiry', async (t) => {
    const check = createTokenCheck({ directoryUrl: directory.url, keysMaxAgeMs: 24 * 3_600_000 });
    const token = await directory.sign(UMA, { expiresIn: 3600 });
    assert.equal((await check(token))?.id, 'uma');
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * 3_600_000 });
    assert.equal(await check(token), undefined);
  });

  test('requires an expiry and a valid payload', async () => {
    const check = createTokenCheck({ directoryUrl: directory.url });
    await assert.rejects(check(await directory.sign(UMA, { expiresIn: null })), { code: 'session_invalid' });
    await assert.rejects(check(await directory.sign(UMA, { claims: { organizations: 'all' } })), {
      code: 'session_invalid',
    });
  });
});
