import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BerthError, definedErrors, defineError, describeError, errorOf, withCleanUp } from '../src/errors.ts';
// Defines the errors of all slices.
import '../src/services.ts';

const TooLateError = defineError('too_late_for_this_test', 410, 'Too late');

test('an error from another thread is recreated with its class if that is imported', () => {
  const description = structuredClone(
    describeError(new TooLateError('Come earlier.', { cause: new Error('inside') })),
  );
  const recreated = errorOf(description);
  assert.ok(recreated instanceof TooLateError);
  assert.deepEqual([recreated.message, recreated.cause], ['Come earlier.', undefined]);
});

test('an error of an unknown class keeps code, status, title and message', () => {
  const recreated = errorOf({ message: 'Come earlier.', code: 'known_elsewhere', status: 410, title: 'Too late' });
  assert.ok(recreated instanceof BerthError);
  assert.deepEqual(
    [recreated.code, recreated.status, recreated.title, recreated.message],
    ['known_elsewhere', 410, 'Too late', 'Come earlier.'],
  );
});

test('any other error keeps its message and code', () => {
  const recreated = errorOf(
    structuredClone(describeError(Object.assign(new Error('no space left'), { code: 'ENOSPC', path: '/secret' }))),
  );
  assert.deepEqual(
    [
      recreated.message,
      (recreated as NodeJS.ErrnoException).code,
      'path' in recreated,
      recreated instanceof BerthError,
    ],
    ['no space left', 'ENOSPC', false, false],
  );
  assert.equal(errorOf(describeError('a text')).message, 'a text');
});

test('an error for a state that passes says when to try again, unless only an operator can end it', () => {
  const lasting = ['clients_not_built', 'ui_not_built', 'restore_incomplete', 'backup_directory_full'];
  const silent = [...definedErrors().values()].filter(
    ({ status, retryAfterSeconds }) => (status === 503 || status === 507) && retryAfterSeconds === undefined,
  );
  assert.deepEqual(
    silent.map(({ code }) => code).filter((code) => !lasting.includes(code)),
    [],
  );
});

test('an instance has the Retry-After of its class, or its own', () => {
  const BusyError = defineError('busy_for_this_test', 503, 'Busy', { retryAfterSeconds: 3 });
  assert.deepEqual(new BusyError('Wait.').headers, { 'retry-after': '3' });
  assert.deepEqual(new BusyError('Wait.', { headers: { 'retry-after': '9' } }).headers, { 'retry-after': '9' });
  assert.equal(new TooLateError('Come earlier.').headers, undefined);
});

test('a clean-up runs in any case, and its error is thrown only if the work succeeded', async () => {
  const calls: string[] = [];
  const step = (name: string, fails: boolean) => async () => {
    calls.push(name);
    if (fails) throw new Error(name);
    return name;
  };
  for (const [work, cleanUp, expected] of [
    [false, false, 'work'],
    [false, true, 'Error: clean-up'],
    [true, false, 'Error: work'],
    [true, true, 'Error: work'],
  ] as const)
    assert.equal(await withCleanUp(step('work', work), step('clean-up', cleanUp)).catch(String), expected);
  assert.deepEqual(calls, Array.from({ length: 4 }, () => ['work', 'clean-up']).flat());
});
