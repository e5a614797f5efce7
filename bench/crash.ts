// Kills Berth at random moments while clients upload, at once or resumably, swap and delete, while it sweeps or is
// backed up; starts it again on the same data, and checks that every visible slot resolves to bytes of its digest,
// every blob row has its bytes, and what was acknowledged is there. In the end what a backup makes of it must be the
// same. 200 kills on each site make the claim, the tests run 20.

import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBerth } from './support/berth-process.ts';
import { runBench } from './support/bench.ts';
import { chooseDeed, MAX_WORKERS } from './support/deeds.ts';
import { createExpectations, type Expectations } from './support/expectations.ts';
import { carryOver, countSweeps, letTimePass, startBackups, untilSwept } from './support/housekeeping.ts';
import { findRowsWithoutBytes, readSlots } from './support/invariants.ts';
import type { ServerProcess } from './support/processes.ts';
import { createResumableClient, type ResumableClient } from './support/resumable-deed.ts';
import { openEmbeddedSite, openClusterSite, type Site } from './support/sites.ts';

const MAX_LIFE_MS = 700;
/** What nobody refers to goes at once: the sweep works as close behind the clients as it can. */
const SWEEP_AT_ONCE = { GC_GRACE_HOURS: '0' };

export const SITES = { 'SQLite and files': openEmbeddedSite, 'PostgreSQL and S3': openClusterSite };

export interface CrashReport {
  kills: number;
  sweeps: number;
  acknowledged: number;
  unanswered: number;
  broken: string[];
}

/** Runs the rounds on a fresh site and reports every broken invariant, none when all is well. */
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
      ...expectations.refused,
      ...(await findRowsWithoutBytes(where)),
    );
  };
  let killed = 0;
  for (; killed < kills && broken.length === 0; killed++) {
    // A fresh site has nothing to sweep in its first hour.
    const sweepsBefore = killed > 0 ? await letTimePass(site) : undefined;
    const berth = await startBerth(site.dataDir, { ...site.env, ...SWEEP_AT_ONCE });
    // By turns, since a backup keeps the sweep away.
    const backingUp = killed % 2 === 1 ? startBackups(site, backups) : undefined;
    try {
      await check(berth, site);
      const swept = sweepsBefore === undefined || backingUp ? undefined : untilSwept(site, sweepsBefore);
      await workUntilKilled(berth, expectations, resumables, swept);
    } finally {
      await Promise.all([berth.kill(), backingUp?.kill()]);
    }
  }
  const sweeps = await countSweeps(site);
  await letTimePass(site);
  await carryOver(site, backups, restored);
  for (const where of [site, restored]) {
    const berth = await startBerth(where.dataDir, where.env);
    await check(berth, where);
    if ((await berth.stop()) !== 0) broken.push('SIGTERM did not end the server with 0');
  }
  return { kills: killed, sweeps, ...expectations.counts, broken };
}

/** @param swept what has to have begun before the moment of the kill is drawn */
async function workUntilKilled(
  berth: ServerProcess,
  expectations: Expectations,
  resumables: readonly ResumableClient[],
  swept: Promise<void> | undefined,
): Promise<void> {
  let alive = true;
  const workers = resumables.map(async (resumable, worker) => {
    while (alive) await chooseDeed()({ berth, worker, expectations, resumable });
  });
  try {
    await swept;
    await sleep(randomInt(MAX_LIFE_MS));
  } finally {
    alive = false;
    await berth.kill();
    await Promise.all(workers);
  }
}

if (import.meta.main) {
  await runBench(async ({ sizes, say }) => {
    const { runs: kills } = sizes({ full: { runs: 200 }, small: { runs: 3 } });
    const claims = [];
    for (const [name, openSite] of Object.entries(SITES)) {
      const { broken, sweeps, acknowledged, unanswered } = await runCrashes(kills, openSite);
      for (const invariant of broken) say(invariant);
      say(`${name}: ${acknowledged} requests were acknowledged, ${unanswered} were cut, ${sweeps} sweeps were begun`);
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
