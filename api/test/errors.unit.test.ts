import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BerthError, defineError, describeError, errorOf } from '../src/errors.ts';

const TooLateError = defineError('too_late_for_this_test', 410, 'Too late');

test('an error that was told another thread is of its class again, where that is known', () => {
  const told = structuredClone(describeError(new TooLateError('Come earlier.', { cause: new Error('inside') })));
  const again = errorOf(told);
  assert.ok(again instanceof TooLateError);
  assert.deepEqual([again.message, again.cause], ['Come earlier.', undefined]);
});

test('where its class is not known, it keeps what clients are told', () => {
  const again = errorOf({ message: 'Come earlier.', code: 'known_elsewhere', status: 410, title: 'Too late' });
  assert.ok(again instanceof BerthError);
  assert.deepEqual(
    [again.code, again.status, again.title, again.message],
    ['known_elsewhere', 410, 'Too late', 'Come earlier.'],
  );
});

test('any other error keeps its message and its code', () => {
  const again = errorOf(
    structuredClone(describeError(Object.assign(new Error('no space left'), { code: 'ENOSPC', path: '/secret' }))),
  );
  assert.deepEqual(
    [again.message, (again as NodeJS.ErrnoException).code, 'path' in again, again instanceof BerthError],
    ['no space left', 'ENOSPC', false, false],
  );
  assert.equal(errorOf(describeError('a text')).message, 'a text');
});
