// A mirror with a heap of 512 MiB while a registry attacks it: the response times of /api/ping beside those of the
// idle server, and the growth of its memory. Idle is after an ordinary run, so that its threads have been started.

import { join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { runBench, type Bench } from './support/bench.ts';
import { signIn, startBerth } from './support/berth-process.ts';
import type { Claim } from './support/claims.ts';
import { ATTACKS, CLOSED, startHostileRegistry, type HostileRegistry } from './support/hostile-registry.ts';
import { MIB, peakResidentBytes, residentBytes, resetPeak } from './support/memory.ts';
import { startPings } from './support/ping-probe.ts';
import type { ServerProcess } from './support/processes.ts';

const HEAP_MIB = 512;
const POLL_MS = 500;

interface RemoteView {
  syncState: string;
  lastSyncAt?: string;
  lastSyncErrorCode?: string;
}

if (import.meta.main) await runBench(measureHostileUpstream);

async function measureHostileUpstream({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { attackMs, repeatMs, idleMs, attacks } = sizes({
    full: { runs: 1, attackMs: 12_000, repeatMs: 5000, idleMs: 5000, attacks: ATTACKS },
    small: { runs: 1, attackMs: 1000, repeatMs: 0, idleMs: 1000, attacks: ATTACKS.slice(0, 2) },
  });
  await using registry = await startHostileRegistry();
  const dataDir = join(directory, 'data');
  await mkdir(dataDir);
  const start = () =>
    startBerth(dataDir, { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}`, REMOTE_TIMEOUT_SECONDS: '5' });
  let berth = await start();
  let broken = 0;
  const slowdowns: number[] = [];
  let growthMib = 0;
  try {
    let remote = await openRemote(berth, registry);
    await remote.add();
    await remote.run(attackMs);
    await wait(1000);
    const idleBytes = await residentBytes(berth.pid);
    const idlePings = await startPings(berth.url);
    await wait(idleMs);
    const idle = await idlePings();
    log(
      `idle: ${Math.round(idleBytes / MIB)} MiB, p99 ${idle.p99Ms.toFixed(1)} ms, longest ${idle.maxMs.toFixed(1)} ms`,
    );

    for (const attack of attacks) {
      registry.attack = attack;
      const before = await residentBytes(berth.pid);
      await resetPeak(berth.pid);
      const pings = await startPings(berth.url);
      // A percentile needs more responses than a short attack lasts.
      const endsAt = performance.now() + repeatMs;
      let view: RemoteView;
      do view = await remote.run(attackMs);
      while (performance.now() < endsAt);
      const { p99Ms, maxMs } = await pings();
      const peakMib = ((await peakResidentBytes(berth.pid)) - idleBytes) / MIB;
      slowdowns.push(p99Ms - idle.p99Ms);
      growthMib = Math.max(growthMib, peakMib);
      log(
        `${attack.name}: ${view.lastSyncErrorCode ?? view.syncState}, p99 ${p99Ms.toFixed(1)} ms, ` +
          `longest ${maxMs.toFixed(1)} ms, growth ${Math.round(peakMib)} MiB, ` +
          `of which ${Math.round((before - idleBytes) / MIB)} MiB before`,
      );
      registry.attack = CLOSED;
      await remote.remove();
      await remote.add();
    }

    // The interrupted run is taken up by the next start.
    registry.attack = attacks[0];
    await remote.request();
    await berth.kill();
    berth = await start();
    remote = await openRemote(berth, registry);
    await wait(attackMs);
    if (!(await isAlive(berth))) broken++;
    registry.attack = undefined;
    if ((await remote.run(attackMs)).syncState === 'running') broken++;
  } finally {
    await berth.kill();
  }
  return [
    {
      claim: `hostile-upstream: p99 of /api/ping above that of the idle server, worst of ${attacks.length} attacks`,
      unit: 'ms',
      ours: [Math.max(...slowdowns)],
      bar: { atMost: 200 },
    },
    {
      claim: `hostile-upstream: growth of a server with a heap of ${HEAP_MIB} MiB, worst of ${attacks.length} attacks`,
      unit: 'MiB',
      ours: [growthMib],
      bar: { atMost: 150 },
    },
    {
      claim: 'hostile-upstream: starts and runs that an attack has ended',
      unit: 'broken',
      ours: [broken],
      bar: { atMost: 0 },
    },
  ];
}

async function isAlive({ url }: ServerProcess): Promise<boolean> {
  return fetch(`${url}/api/ping`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function openRemote(berth: ServerProcess, registry: HostileRegistry) {
  const session = await signIn(berth.url);
  const path = `${berth.url}/api/v1/remote-registries`;
  const own = `${path}/${encodeURIComponent(registry.url)}`;
  const view = async () => (await (await fetch(own, { headers: session })).json()) as RemoteView;
  const request = () => fetch(`${own}/sync`, { method: 'POST', headers: session });
  return {
    request,
    async add(): Promise<void> {
      const response = await fetch(path, {
        method: 'POST',
        headers: { ...session, 'content-type': 'application/json' },
        body: JSON.stringify({
          url: registry.url,
          name: 'hostile',
          apiKey: 'key',
          schedule: null,
          selectedPatterns: ['**', 'm*-*-*-*'],
        }),
      });
      if (response.status !== 201) throw new Error(`adding the registry got status ${response.status}`);
    },
    /** Waits for the end of the run, and removes the registry. */
    async remove(): Promise<void> {
      while ((await view()).syncState === 'running') await wait(POLL_MS);
      await fetch(own, { method: 'DELETE', headers: session });
    },
    /** Synchronises, and lists the registry's artefacts meanwhile, until the run ends or the time is over. */
    async run(timeoutMs: number): Promise<RemoteView> {
      const before = (await view()).lastSyncAt;
      await request();
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        void fetch(`${own}/remote-artefacts?size=100`, { headers: session })
          .then((response) => response.arrayBuffer())
          .catch(() => undefined);
        await wait(POLL_MS);
        const now = await view();
        if (performance.now() > deadline || (now.lastSyncAt !== before && now.syncState === 'idle')) return now;
      }
    },
  };
}
