// Lets other work of this thread have its turn. With the embedded database, each write blocks the thread until it is
// on the disk: those of many artefacts that fail at once must not follow each other without a pause.

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Resolves each call in a turn of the event loop of its own, in order. */
export type Turns = () => Promise<void>;

export function createTurns(): Turns {
  let last = Promise.resolve();
  return () => (last = last.then(() => nextTurn()));
}
