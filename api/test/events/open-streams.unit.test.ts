// How many streams a process opens: for one caller, and altogether.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Caller } from '../../src/access/index.ts';
import { TooManyStreamsError } from '../../src/events/errors.ts';
import { createOpenStreams } from '../../src/events/open-streams.ts';
import { CALLERS } from '../access/callers.ts';

const READERS = Object.entries(CALLERS).filter(([, { kind }]) => kind === 'user' || kind === 'read-key');

describe('open streams of events', () => {
  for (const [name, caller] of READERS)
    test(`of ${name} are limited, and make room for others when they end`, () => {
      const streams = createOpenStreams(2, 100);
      const [first] = [streams.add(caller), streams.add(caller)];
      assert.throws(() => {
        streams.assertRoom(caller);
      }, TooManyStreamsError);
      streams.assertRoom(another(caller));
      first?.();
      streams.assertRoom(caller);
      assert.equal(streams.total(), 1);
    });

  test('of internal services, which share a secret, are limited altogether only', () => {
    const streams = createOpenStreams(2, 5);
    const internal: Caller = { kind: 'internal' };
    for (let opened = 0; opened < 5; opened++) {
      streams.assertRoom(internal);
      streams.add(internal);
    }
    for (const caller of [internal, ...READERS.map(([, reader]) => reader)])
      assert.throws(() => {
        streams.assertRoom(caller);
      }, /GET \/events/);
  });
});

function another(caller: Caller): Caller {
  return caller.kind === 'user'
    ? { ...caller, user: { ...caller.user, id: 'another' } }
    : { ...(caller as Extract<Caller, { kind: 'read-key' }>), key: { id: 'another', name: '', shortId: '' } };
}
