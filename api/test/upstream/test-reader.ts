// A reader of remote registries in its worker thread, as a server has it.

import { join } from 'node:path';
import type { ResourceLimits } from 'node:worker_threads';
import { createOutbound, type OutboundOptions } from '../../src/outbound/index.ts';
import { createReader, type ReadApi, type UpstreamReader } from '../../src/upstream/index.ts';
import { createWorker } from '../../src/workers/index.ts';

export interface TestReader extends UpstreamReader {
  /** Errors that ended a thread. */
  crashes: unknown[];
  close(): Promise<void>;
}

const PROGRAM = join(import.meta.dirname, '../../src/background-worker.ts');
export const CATEGORIES = ['processing', 'tileset', 'other'];

export function startTestReader(options: OutboundOptions, resourceLimits?: ResourceLimits): TestReader {
  const crashes: unknown[] = [];
  const worker = createWorker<ReadApi>({
    program: PROGRAM,
    data: { outbound: options, categories: CATEGORIES },
    onError: (error) => crashes.push(error),
    ...(resourceLimits && { resourceLimits }),
  });
  const outbound = createOutbound(options);
  return {
    ...createReader({ worker, outbound }),
    crashes,
    async close() {
      await worker.close();
      await outbound.close();
    },
  };
}
