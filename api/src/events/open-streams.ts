// Limits of the streams that this process has open: each costs memory, and a query at every heartbeat.

import { identityOf, type Caller } from '../access/index.ts';
import { TooManyStreamsError } from './errors.ts';

export interface OpenStreams {
  /** @throws too_many_streams */
  assertRoom(caller: Caller): void;
  /** Counts a stream until the returned function is called, once. */
  add(caller: Caller): () => void;
  total(): number;
}

/** Of a key or a user; services of a platform share the internal secret. */
const MAX_OF_CALLER = 500;
const MAX_OF_PROCESS = 5_000;

export function createOpenStreams(maxOfCaller = MAX_OF_CALLER, maxOfProcess = MAX_OF_PROCESS): OpenStreams {
  const counts = new Map<string, number>();
  let total = 0;
  return {
    assertRoom(caller) {
      const identity = identityOf(caller) ?? '';
      const count = counts.get(identity) ?? 0;
      if (caller.kind !== 'internal' && count >= maxOfCaller)
        throw new TooManyStreamsError(
          `${caller.kind === 'user' ? 'You have' : 'This key has'} ${count} open streams of events here: close ` +
            'some. A program needs one, with several types and artefacts.',
        );
      if (total >= maxOfProcess)
        throw new TooManyStreamsError(
          `This server has ${total} open streams of events: try again later, or read GET /events in intervals.`,
        );
    },
    add(caller) {
      const identity = identityOf(caller) ?? '';
      counts.set(identity, (counts.get(identity) ?? 0) + 1);
      total++;
      return () => {
        const left = (counts.get(identity) ?? 0) - 1;
        if (left > 0) counts.set(identity, left);
        else counts.delete(identity);
        total--;
      };
    },
    total: () => total,
  };
}
