// RPC between two threads, in both directions, over birpc. Errors keep their class where both sides know it.

import { createBirpc, type BirpcFn, type BirpcReturn } from 'birpc';
import { describeError, errorOf, type ErrorDescription } from '../errors.ts';
import { currentTrace, withTrace, type Trace } from '../tracing/index.ts';

/** One end of a channel: a Worker, or the parentPort in it. */
export interface Port {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

/** The functions of the other side: each returns a promise; `fn.asEvent(…)` does not wait for a response. */
export type Calls<Api> = { [Name in keyof Api]: BirpcFn<Api[Name]> };

interface Message {
  e?: unknown;
  /** Of the call, for the requests that it makes to other servers. */
  trace?: Trace;
}

/**
 * Connects this thread to another one.
 * @param local functions that the other side may call; arguments and results must be structured-cloneable
 */
export function connectRpc<Remote extends object>(port: Port, local: object): BirpcReturn<Remote, object> {
  return createBirpc<Remote, object>(local, {
    post: (message: Message) => {
      const trace = currentTrace();
      port.postMessage(trace ? { ...message, trace } : message);
    },
    on: (listener) => {
      port.on('message', (message) => {
        withTrace((message as Message).trace, () => {
          listener(message);
        });
      });
    },
    serialize: (message: Message) => (message.e === undefined ? message : { ...message, e: describeError(message.e) }),
    deserialize: (message: Message) =>
      message.e === undefined ? message : { ...message, e: errorOf(message.e as ErrorDescription) },
    // Some calls last as long as a download: only their signal or the end of the thread ends them.
    timeout: -1,
  });
}
