import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  administersOrganization,
  isSuperadmin,
  pageBounds,
  searchPatterns,
  toIso,
} from '../../src/accounts/operations.ts';
import { listChoices, type Membership } from '../../src/accounts/sessions/operations.ts';

test('roles are comma-separated lists, as in better-auth', () => {
  assert.deepEqual([null, '', 'user', 'admin', 'user,admin', 'administrator'].map(isSuperadmin), [
    false,
    false,
    false,
    true,
    true,
    false,
  ]);
  assert.deepEqual([null, 'member', 'admin', 'owner', 'member,owner'].map(administersOrganization), [
    false,
    false,
    true,
    true,
    true,
  ]);
});

test('a search becomes one escaped LIKE pattern per word', () => {
  assert.deepEqual(searchPatterns(undefined), []);
  assert.deepEqual(searchPatterns('  Ada   LOVELACE '), ['%ada%', '%lovelace%']);
  assert.deepEqual(searchPatterns('100%_\\'), ['%100\\%\\_\\\\%']);
  assert.deepEqual(searchPatterns('E\u0301lodie'), ['%_lodie%']);
});

test('a page has 10 items by default', () => {
  assert.deepEqual([{}, { size: 0 }, { skip: 5, size: 20 }].map(pageBounds), [
    { offset: 0, limit: 10 },
    { offset: 0, limit: 0 },
    { offset: 5, limit: 20 },
  ]);
});

test('dates of both databases have the same text form', () => {
  assert.equal(toIso(new Date(0)), toIso('1970-01-01T00:00:00.000Z'));
});

test('a user may act for themselves, and in organisations as their role and departments allow', () => {
  const department = (id: string, isMember: boolean) => ({ id, name: id.toUpperCase(), isMember });
  const cases: [role: string, departments: Membership['departments'], choices: (string | undefined)[]][] = [
    ['admin', [], [undefined]],
    ['owner', [department('a', false)], [undefined, 'a']],
    ['admin', [department('a', true), department('b', false)], [undefined, 'a', 'b']],
    ['member', [], [undefined]],
    ['member', [department('a', false)], [undefined]],
    ['member', [department('a', true), department('b', false)], ['a']],
    ['member', [department('a', true), department('b', true)], ['a', 'b']],
  ];
  for (const [role, departments, choices] of cases) {
    const [own, ...others] = listChoices({ id: 'u', name: 'U' }, [
      { organization: { id: 'o', name: 'O' }, role, departments },
    ]);
    assert.deepEqual(own, { type: 'user', id: 'u', name: 'U', role: 'admin' });
    assert.deepEqual(
      others.map((choice) => choice.department),
      choices,
      JSON.stringify([role, departments]),
    );
    assert.ok(
      others.every(
        (choice) =>
          choice.role === (role === 'member' ? 'member' : 'admin') &&
          choice.departmentName === choice.department?.toUpperCase(),
      ),
    );
  }
});
