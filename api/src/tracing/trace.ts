// Traces (https://www.w3.org/TR/trace-context/): which one the current work belongs to, so that requests to other
// servers name it. Berth records no spans of its own.

import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

/** Plain data, which is passed on to worker threads. */
export interface Trace {
  /** 32 hexadecimal digits. */
  id: string;
  /** Two hexadecimal digits: `01` if the caller records it. */
  flags: string;
}

/** Later versions may have further fields. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-([\da-f]{2})($|-.{0,400}$)/;
const NOT_RECORDED = '00';

const current = new AsyncLocalStorage<Trace | undefined>();

/** Parses the header `traceparent`; undefined if it is malformed. */
export function parseTraceparent(header: string): Trace | undefined {
  const [, version, id, flags, rest] = TRACEPARENT.exec(header) ?? [];
  return id === undefined || flags === undefined || (version === '00' && rest !== '') ? undefined : { id, flags };
}

/** A trace of work that nobody has asked for, such as a run of a job. */
export function newTrace(): Trace {
  return { id: randomBytes(16).toString('hex'), flags: NOT_RECORDED };
}

export function withTrace<T>(trace: Trace | undefined, work: () => T): T {
  return current.run(trace, work);
}

export function currentTrace(): Trace | undefined {
  return current.getStore();
}

/** Headers for a request to another server; each is a span of its own. */
export function traceHeaders(): { traceparent?: string } {
  const trace = current.getStore();
  return trace ? { traceparent: `00-${trace.id}-${randomBytes(8).toString('hex')}-${trace.flags}` } : {};
}
