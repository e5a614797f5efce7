// A thread that fetches for all mirrors, seen from outside in fetch-thread.ts. Here are the network, the hash, the scan and the storage;
// what is to be written into the database goes back to the thread that has it.

import { parentPort, workerData } from 'node:worker_threads';
import { createIntake } from '../artefacts/intake.ts';
import { openBlobStore } from '../blobs/blobs.ts';
import { beginUpload, discardUpload, resumeUpload } from '../blobs/upload.ts';
import { describeError, errorOf } from '../errors.ts';
import { createTarballScanners } from '../tarballs/scanners.ts';
import { SlotMovedError } from './errors.ts';
import type { Desk, FetchReport, FetchRequest, FetchThreadData, ToldOrder } from './fetch-messages.ts';
import { createFetcher, type Fetcher } from './fetch.ts';
import { createSource } from './upstream-bytes.ts';
import { connectUpstream, type UpstreamAccess, type UpstreamConnection } from './upstream-request.ts';

type Port = NonNullable<typeof parentPort>;

/** How many bytes come between two messages about them. */
const TOLD_BYTES = 4 * 1024 * 1024;
/** After which they are told of, however few they are. */
const TOLD_MS = 250;
/** For how long a connection waits for the next fetch. */
const IDLE_MS = 2_000;

if (parentPort) await serveFetches(parentPort, workerData as FetchThreadData);

async function serveFetches(port: Port, { store: storeOptions, limits }: FetchThreadData): Promise<void> {
  const report = (message: FetchReport) => { port.postMessage(message); };
  const { desk, settle } = connectDesk(report);
  const connections = createConnections();
  const aborts = new Map<number, AbortController>();
  const ready = openFetcher();
  // Told to whoever fetches.
  ready.catch(() => undefined);

  async function openFetcher(): Promise<Fetcher> {
    const store = await openBlobStore(storeOptions);
    const parts = { limits, scanners: createTarballScanners() };
    return createFetcher({
      fetches: desk.fetches, maxUploadBytes: limits.maxUploadBytes, assertRoom: desk.room.assert,
      onError: (error) => { void desk.errors.report(describeError(error)); },
      intakes: {
        begin: async (format, options) => createIntake(await beginUpload(desk.rows, store, { ...options, bypassCache: true }), format, parts),
        resume: async (format, storageKey) => createIntake(await resumeUpload(desk.rows, store, storageKey), format, parts),
        discard: (storageKey) => discardUpload(desk.rows, store, storageKey),
      },
    });
  }

  async function fetch(number: number, { upstream, ...order }: ToldOrder): Promise<void> {
    const { signal } = aborts.set(number, new AbortController()).get(number)!;
    const progress = gatherCounts((count) => { report({ type: 'bytes', fetch: number, count }); });
    const connection = connections.use(upstream);
    try {
      const fetcher = await ready;
      const source = createSource(connection);
      const { intake: { storageKey }, ...fetched } = await fetcher.fetch({ ...order, upstream: source, signal, onBytes: progress.add });
      report({ type: 'done', fetch: number, count: progress.rest(), fetched: { storageKey, ...fetched } });
    } catch (error) {
      report({ type: 'failed', fetch: number, count: progress.rest(), moved: error instanceof SlotMovedError, error: describeError(error) });
    } finally {
      connections.leave(upstream);
      aborts.delete(number);
    }
  }

  port.on('message', (request: FetchRequest) => {
    switch (request.type) {
      case 'fetch': void fetch(request.fetch, request.order); break;
      case 'abort': aborts.get(request.fetch)?.abort(); break;
      case 'answer': case 'refusal': settle(request);
    }
  });
}

/** Makes what the other thread does look as if it were done here. */
function connectDesk(report: (message: FetchReport) => void): { desk: Desk; settle: (answer: FetchRequest & { type: 'answer' | 'refusal' }) => void } {
  const calls = new Map<number, PromiseWithResolvers<unknown>>();
  let lastCall = 0;
  const part = <Part extends keyof Desk>(name: Part) => new Proxy({} as Desk[Part], {
    get: (_target, method) => (...args: unknown[]) => {
      const call = ++lastCall;
      const answer = Promise.withResolvers<unknown>();
      calls.set(call, answer);
      report({ type: 'call', call, part: name, method: String(method), args });
      return answer.promise;
    },
  });
  return {
    desk: { rows: part('rows'), fetches: part('fetches'), room: part('room'), errors: part('errors') },
    settle(answer) {
      const call = calls.get(answer.call);
      calls.delete(answer.call);
      if (answer.type === 'answer') call?.resolve(answer.value);
      else call?.reject(errorOf(answer.error));
    },
  };
}

/** Adds counts up, so that not every chunk is a message. */
function gatherCounts(onCount: (count: number) => void): { add(count: number): void; rest(): number } {
  let untold = 0;
  let timer: NodeJS.Timeout | undefined;
  const rest = () => {
    clearTimeout(timer);
    timer = undefined;
    const count = untold;
    untold = 0;
    return count;
  };
  const tell = () => { onCount(rest()); };
  return {
    add(count) {
      untold += count;
      if (Math.abs(untold) >= TOLD_BYTES) tell();
      else timer ??= setTimeout(tell, TOLD_MS);
    },
    rest,
  };
}

/** Connections by registry, each kept for as long as somebody fetches over it, and a moment longer. */
function createConnections(): { use(access: UpstreamAccess): UpstreamConnection; leave(access: UpstreamAccess): void } {
  interface Held { connection: UpstreamConnection; users: number; timer?: NodeJS.Timeout | undefined }
  const held = new Map<string, Held>();
  return {
    use(access) {
      const key = JSON.stringify(access);
      const entry = held.get(key) ?? { connection: connectUpstream(access), users: 0 };
      held.set(key, entry);
      clearTimeout(entry.timer);
      entry.users++;
      return entry.connection;
    },
    leave(access) {
      const key = JSON.stringify(access);
      const entry = held.get(key);
      if (!entry || --entry.users > 0) return;
      entry.timer = setTimeout(() => {
        held.delete(key);
        entry.connection.close();
      }, IDLE_MS).unref();
    },
  };
}
