// A worker thread as the thread that uses it sees it: started when it is needed, and anew after it has broken down.

import { Worker, type ResourceLimits } from 'node:worker_threads';
import type { BirpcReturn } from 'birpc';
import { connectRpc, type Calls } from './rpc.ts';

export interface WorkerOptions {
  /** Path of the program; it answers calls with `connectRpc`. */
  program: string;
  /** `workerData` of the program. */
  data: unknown;
  resourceLimits?: ResourceLimits;
  /** Called with what broke the thread down. */
  onError: (error: unknown) => void;
}

export interface BackgroundWorker<Api> {
  /** Adds functions that the program may call here. */
  expose(functions: object): void;
  /**
   * Calls the worker until `release`. Only meanwhile does it keep the process alive.
   * Calls fail once the thread has ended: then the next `acquire` starts another one.
   */
  acquire(): { api: Calls<Api>; release: () => void };
  /** Ends the thread; calls in flight fail. */
  close(): Promise<void>;
}

interface Running<Api extends object> {
  worker: Worker;
  api: BirpcReturn<Api, object>;
  users: number;
}

export function createWorker<Api extends object>({
  program,
  data,
  resourceLimits,
  onError,
}: WorkerOptions): BackgroundWorker<Api> {
  const exposed = {};
  let running: Running<Api> | undefined;

  function start(): Running<Api> {
    const worker = new Worker(program, { execArgv: [], workerData: data, ...(resourceLimits && { resourceLimits }) });
    const started = { worker, api: connectRpc<Api>(worker, exposed), users: 0 };
    worker.on('error', (error) => {
      onError(error);
      end(started, error);
    });
    worker.on('exit', () => {
      end(started);
    });
    return started;
  }

  function end(ended: Running<Api>, cause?: unknown): void {
    if (running === ended) running = undefined;
    if (!ended.api.$closed) ended.api.$close(new Error('The worker thread has ended.', { cause }));
  }

  return {
    expose(functions) {
      Object.assign(exposed, functions);
    },
    acquire() {
      const used = (running ??= start());
      if (++used.users === 1) used.worker.ref();
      let isReleased = false;
      return {
        api: used.api,
        release() {
          if (isReleased) return;
          isReleased = true;
          if (--used.users === 0) used.worker.unref();
        },
      };
    },
    async close() {
      const ending = running;
      if (!ending) return;
      // Whoever is told of the end releases the thread, which must not let the process end before it has ended.
      ending.users++;
      end(ending);
      await ending.worker.terminate();
    },
  };
}
