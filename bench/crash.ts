// Kills the server at random moments while clients upload, swap and delete, and while it sweeps or is backed up. After
// each restart, slots must match their digests, blob rows their bytes, and acknowledged writes must be present. At the
// end, the same must hold for a restored backup. The claim is for 200 kills per site, the tests run 20.

import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBerth } from './support/berth-process.ts';
import { runBench } from './support/bench.ts';
import { chooseAction, MAX_WORKERS } from './support/client-actions.ts';
import { createExpectations, type Expectations } from './support/expectations.ts';
import { backUpAndRestore, countSweeps, expireLeases, startBackups, waitForSweep } from './support/housekeeping.ts';
import { findRowsWithoutBytes, readSlots } from './support/invariants.ts';
import type { ServerProcess } from './support/processes.ts';
import { createResumableClient, type ResumableClient } from './support/resumable-client.ts';
import { openEmbeddedSite, openClusterSite, type Site } from './support/sites.ts';

const MAX_LIFE_MS = 700;
/** No grace period: the sweep deletes blobs as soon as they are unreferenced. */
const NO_GRACE_PERIOD = { GC_GRACE_HOURS: '0' };

export const SITES = { 'SQLite and files': openEmbeddedSite, 'PostgreSQL and S3': openClusterSite };

export interface CrashReport {
  kills: number;
  sweeps: number;
  acknowledged: number;
  unanswered: number;
  broken: string[];
}

/** Runs the rounds on a fresh site and reports every broken invariant. */
export async function runCrashes(
  kills: number,
  openSite: () => Promise<Site> = openEmbeddedSite,
): Promise<CrashReport> {
  await using site = await openSite();
  await using restored = await openEmbeddedSite();
  const backups = join(site.dataDir, 'backup');
  const expectations = createExpectations();
  const resumables = Array.from({ length: MAX_WORKERS }, createResumableClient);
  const broken: string[] = [];
  const check = async (berth: ServerProcess, where: Site) => {
    const { held, broken: unreadable } = await readSlots(berth);
    broken.push(
      ...unreadable,
      ...expectations.findBroken(held),
      ...expectations.unexpected,
      ...(await findRowsWithoutBytes(where)),
    );
  };
  let killed = 0;
  for (; killed < kills && broken.length === 0; killed++) {
    // On a fresh site, the first sweep is not due for an hour.
    const sweepsBefore = killed > 0 ? await expireLeases(site) : undefined;
    const berth = await startBerth(site.dataDir, { ...site.env, ...NO_GRACE_PERIOD });
    // In every other round, since a backup blocks the sweep.
    const backingUp = killed % 2 === 1 ? startBackups(site, backups) : undefined;
    try {
      await check(berth, site);
      const sweepStarted = sweepsBefore === undefined || backingUp ? undefined : waitForSweep(site, sweepsBefore);
      await workUntilKilled(berth, expectations, resumables, sweepStarted);
    } finally {
      await Promise.all([berth.kill(), backingUp?.kill()]);
    }
  }
  const sweeps = await countSweeps(site);
  await expireLeases(site);
  await backUpAndRestore(site, backups, restored);
  for (const where of [site, restored]) {
    const berth = await startBerth(where.dataDir, where.env);
    await check(berth, where);
    if ((await berth.stop()) !== 0) broken.push('SIGTERM did not end the server with 0');
  }
  return { kills: killed, sweeps, ...expectations.counts, broken };
}

/** @param sweepStarted awaited before the random delay to the kill starts */
async function workUntilKilled(
  berth: ServerProcess,
  expectations: Expectations,
  resumables: readonly ResumableClient[],
  sweepStarted: Promise<void> | undefined,
): Promise<void> {
  let alive = true;
  const workers = resumables.map(async (resumable, worker) => {
    while (alive) await chooseAction()({ berth, worker, expectations, resumable });
  });
  try {
    await sweepStarted;
    await sleep(randomInt(MAX_LIFE_MS));
  } finally {
    alive = false;
    await berth.kill();
    await Promise.all(workers);
  }
}

if (import.meta.main) {
  await runBench(async ({ sizes, log }) => {
    const { runs: kills } = sizes({ full: { runs: 200 }, small: { runs: 3 } });
    const claims = [];
    for (const [name, openSite] of Object.entries(SITES)) {
      const { broken, sweeps, acknowledged, unanswered } = await runCrashes(kills, openSite);
      for (const invariant of broken) log(invariant);
      log(`${name}: ${acknowledged} requests acknowledged, ${unanswered} interrupted, ${sweeps} sweeps started`);
      claims.push({
        claim: `crash: invariants after ${kills} SIGKILLs on ${name}`,
        unit: 'broken' as const,
        ours: [broken.length],
        bar: { atMost: 0 },
      });
    }
    return claims;
  });
}
