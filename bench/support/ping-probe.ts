// A process that requests /api/ping every 5 ms without waiting for earlier responses, and reports the response times:
// they show for how long the server's event loop was blocked.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { killWithThisProcess } from './processes.ts';
import { percentile } from './statistics.ts';

const INTERVAL_MS = 5;
const TIMEOUT_MS = 5_000;

export interface PingTimes {
  p99Ms: number;
  maxMs: number;
}

/** Starts the process. @returns a function that stops it and returns the times */
export async function startPings(url: string): Promise<() => Promise<PingTimes>> {
  const child = fork(import.meta.filename, [url], { execArgv: [] });
  const failed = killWithThisProcess(child).then(() => {
    throw new Error('The process that requests /api/ping has ended: it got no response.');
  });
  failed.catch(() => undefined);
  await Promise.race([once(child, 'message'), failed]);
  return async () => {
    child.send('end');
    const [times] = (await Promise.race([once(child, 'message'), failed])) as [PingTimes];
    return times;
  };
}

if (import.meta.main) {
  const agent = new Agent({ keepAlive: true });
  const url = `${process.argv[2] ?? ''}/api/ping`;
  const timesMs: number[] = [];
  const ping = async () => {
    const startedAt = performance.now();
    const [response] = (await once(request(url, { agent, timeout: TIMEOUT_MS }).end(), 'response')) as [
      NodeJS.ReadableStream,
    ];
    await once(response.resume(), 'end');
    return performance.now() - startedAt;
  };
  await ping();
  const timer = setInterval(() => {
    void ping().then((timeMs) => {
      timesMs.push(timeMs);
    });
  }, INTERVAL_MS);
  process.once('message', () => {
    clearInterval(timer);
    process.send?.({ p99Ms: percentile(timesMs, 99), maxMs: Math.max(...timesMs) } satisfies PingTimes, () => {
      process.exit();
    });
  });
  process.send?.('ready');
}
