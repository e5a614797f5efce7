import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BerthError, defineError, describeError, errorOf } from '../src/errors.ts';

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
