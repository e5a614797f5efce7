import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defineError } from '../../src/errors.ts';
import { createStackLimit, describeError } from '../../src/http/log-errors.ts';
import { startTestApp } from './test-app.ts';

const UnavailableError = defineError('storage_unavailable', 503, 'Storage unavailable');

const hasStack = (logged: unknown) => / at .+:\d+/.test(describeError(logged as Error).stack);

test('the stack of a kind of error is logged once a minute', () => {
  let now = 0;
  const limit = createStackLimit(() => now);
  const logged = () => hasStack(limit(new Error('refused'), 'storage_unavailable'));
  assert.deepEqual([logged(), logged()], [true, false]);
  assert.equal(hasStack(limit(new Error('refused'), 'database_unavailable')), true);
  now = 59_999;
  assert.equal(logged(), false);
  now = 60_000;
  assert.deepEqual([logged(), logged()], [true, false]);
});

test('without a kind, errors from the same place are of one kind', () => {
  const limit = createStackLimit(() => 0);
  const fail = (message: string) => new Error(message);
  const logged = ['one', 'one', 'two', 'one'].map((message) => hasStack(limit(fail(message))));
  assert.deepEqual(logged, [true, false, true, false]);
});

test('values that are no errors stay as they are', () => {
  assert.equal(createStackLimit()('text'), 'text');
});

test('requests that fail by the same outage have short lines after the first', async (t) => {
  const { url, logs } = await startTestApp(t, {
    routes(app) {
      app.get('/:kind', async ({ params }) => {
        const { kind } = params as { kind: string };
        if (kind === 'mistake') throw new TypeError('a mistake');
        throw new UnavailableError('The storage does not answer.', { cause: new Error(`ECONNREFUSED ${kind}`) });
      });
    },
  });
  for (const kind of ['1', '2', '3', 'mistake', 'mistake']) await (await fetch(`${url}/${kind}`)).text();
  const errors = logs.filter(({ level }) => level === 50).map(({ err }) => err as { message: string; stack: string });
  assert.deepEqual(
    errors.map(({ message }) => message),
    ['ECONNREFUSED 1', 'ECONNREFUSED 2', 'ECONNREFUSED 3', 'a mistake', 'a mistake'],
  );
  assert.deepEqual(
    errors.map(({ stack }) => / at /.test(stack)),
    [true, false, false, true, false],
  );
});
