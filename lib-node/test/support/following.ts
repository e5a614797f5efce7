// Follows events in the background of a test.

import type { TestContext } from 'node:test';
import { followEvents } from '../../dist/index.js';
import type { BerthEvent, FollowEventsOptions } from '../../dist/index.js';

export interface Following {
  events: BerthEvent[];
  /** Type and subject of each event. */
  names: () => string[];
  /** What ended it. */
  failure: Promise<unknown>;
  stop: () => void;
}

/** Follows in the background until the end of the test. */
export function follow(t: TestContext, options: FollowEventsOptions): Following {
  const controller = new AbortController();
  const events: BerthEvent[] = [];
  const failure = (async () => {
    for await (const event of followEvents({ signal: controller.signal, ...options })) events.push(event);
  })().catch((error: unknown) => error);
  t.after(async () => {
    controller.abort();
    await failure;
  });
  const names = (): string[] => events.map(({ type, subject }) => `${type} ${subject}`);
  return { events, names, failure, stop: () => controller.abort(new Error('stopped')) };
}
