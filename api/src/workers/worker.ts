// Owns a worker thread: starts it on demand, and starts another one after a crash.

import { Worker, type ResourceLimits } from 'node:worker_threads';
import type { BirpcReturn } from 'birpc';
import { connectRpc, type Calls } from './rpc.ts';

export interface WorkerOptions {
  /** Path of the program; it serves calls with `connectRpc`. */
  program: string;
  /** Passed to the program as `workerData`. */
  data: unknown;
  resourceLimits?: ResourceLimits;
  /** Called with the error that crashed the thread. */
  onError: (error: unknown) => void;
}

export interface BackgroundWorker<Api> {
  /** Adds functions that the program may call here. */
  expose(functions: object): void;
  /**
   * Gives access to the worker until `release`. The thread keeps the process alive only while it is acquired.
   * Calls fail once the thread has ended; the next `acquire` starts another one.
   */
  acquire(): { api: Calls<Api>; hasCrashed: () => boolean; release: () => void };
  /** Ends the thread; calls in flight fail. */
  close(): Promise<void>;
}

interface RunningWorker<Api extends object> {
  worker: Worker;
  api: BirpcReturn<Api, object>;
  users: number;
  hasCrashed: boolean;
}

export function createWorker<Api extends object>({
  program,
  data,
  resourceLimits,
  onError,
}: WorkerOptions): BackgroundWorker<Api> {
  const exposed = {};
  let running: RunningWorker<Api> | undefined;

  function start(): RunningWorker<Api> {
    const worker = new Worker(program, { execArgv: [], workerData: data, ...(resourceLimits && { resourceLimits }) });
    const started = { worker, api: connectRpc<Api>(worker, exposed), users: 0, hasCrashed: false };
    worker.on('error', (error) => {
      started.hasCrashed = true;
      onError(error);
      end(started, error);
    });
    worker.on('exit', () => {
      end(started);
    });
    return started;
  }

  function end(ended: RunningWorker<Api>, cause?: unknown): void {
    if (running === ended) running = undefined;
    if (!ended.api.$closed) ended.api.$close(new Error('The worker thread has ended.', { cause }));
  }

  return {
    expose(functions) {
      Object.assign(exposed, functions);
    },
    acquire() {
      const acquired = (running ??= start());
      if (++acquired.users === 1) acquired.worker.ref();
      let isReleased = false;
      return {
        api: acquired.api,
        hasCrashed: () => acquired.hasCrashed,
        release() {
          if (isReleased) return;
          isReleased = true;
          if (--acquired.users === 0) acquired.worker.unref();
        },
      };
    },
    async close() {
      const ending = running;
      if (!ending) return;
      // Callers release the thread when their calls fail; it must keep the process alive until it has terminated.
      ending.users++;
      end(ending);
      await ending.worker.terminate();
    },
  };
}
