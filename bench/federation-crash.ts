// Kills either side of a mirror at random moments of a synchronisation, while its original changes. Afterwards one run
// that nobody disturbs has to make the slots of both equal. And: fifty consumers read a mirror while it is refreshed,
// and never get anything but whole bytes. 100 kills make the claim, the tests do a few.

import { createHash, randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench } from './support/bench.ts';
import {
  addRemote,
  beginSync,
  keepSession,
  makeReadKey,
  publishAll,
  readDigests,
  readRemote,
  synchronise,
} from './support/federation.ts';
import { letTimePass } from './support/housekeeping.ts';
import { freePort, type ServerProcess } from './support/processes.ts';
import { openEmbeddedSite, type Site } from './support/sites.ts';
import { npmTarball } from './support/tarball.ts';

const IDS = Array.from({ length: 6 }, (_unused, index) => `@acme/plugin-${index}@1`);
const ARCHITECTURES = ['noarch', 'x64', 'arm64'];
/** Large enough for most kills to meet a synchronisation that runs. */
const MAX_CONTENT_BYTES = 24 * 1024 * 1024;
const MAX_LIFE_MS = 300;

/** `met`: kills while a synchronisation ran, as the mirror said a moment before. */
export interface MirrorCrashReport {
  kills: number;
  met: number;
  broken: string[];
}

/** Runs the rounds on two fresh embedded instances, and reports what differs in the end: nothing when all is well. */
export async function runMirrorCrashes(kills: number): Promise<MirrorCrashReport> {
  await using original = await openEmbeddedSite();
  await using copy = await openEmbeddedSite();
  const upstreamPort = String(await freePort());
  const start = (site: Site, port?: string) =>
    startBerth(site.dataDir, { ...site.env, ...(port !== undefined && { PORT: port }) });
  // The original keeps its address: it is the name of the remote registry.
  let upstream = await start(original, upstreamPort);
  const url = `http://127.0.0.1:${upstreamPort}`;
  let mirror = await start(copy);
  try {
    for (const id of IDS) await upload(upstream, id, 'noarch');
    await publishAll({ url }, IDS);
    await addRemote(mirror, url, await makeReadKey({ url }));
    let met = 0;
    for (let killed = 0; killed < kills; killed++) {
      for (let change = 0; change < 3; change++) await upload({ url }, pick(IDS), pick(ARCHITECTURES));
      await beginSync(mirror, url);
      await sleep(randomInt(MAX_LIFE_MS));
      if ((await readRemote(mirror, url)).syncState === 'running') met++;
      if (killed % 2 === 0) {
        await mirror.kill();
        await letTimePass(copy);
        const before = mirror;
        mirror = await start(copy);
        keepSession(before, mirror);
      } else {
        await upstream.kill();
        upstream = await start(original, upstreamPort);
      }
      await untilIdle(mirror, url);
    }
    await synchronise(mirror, url);
    const [theirs, ours] = [await readDigests({ url }), await readDigests(mirror)];
    const broken = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])]
      .filter((slot) => theirs[slot] !== ours[slot])
      .map((slot) => `${slot}: ${ours[slot]} here, ${theirs[slot]} there`);
    for (const id of IDS) broken.push(...(await findBrokenBytes(mirror, id)));
    return { kills, met, broken };
  } finally {
    await Promise.all([mirror.kill(), upstream.kill()]);
  }
}

/** Lets consumers read artefacts of a mirror while it is refreshed, and reports every answer that was not whole. */
export async function readWhileRefreshing(
  directory: string,
  { consumers, refreshes }: { consumers: number; refreshes: number },
): Promise<{ reads: number; versions: number; broken: string[] }> {
  await using upstream = await startBerth(join(directory, 'upstream'));
  await using mirror = await startBerth(join(directory, 'mirror'));
  const [id = ''] = IDS;
  for (const architecture of ARCHITECTURES) await upload(upstream, id, architecture);
  await publishAll(upstream, [id]);
  await addRemote(mirror, upstream.url, await makeReadKey(upstream));
  await synchronise(mirror, upstream.url);
  const broken: string[] = [];
  const seen = new Set<string>();
  let reads = 0;
  let done = false;
  const consuming = Array.from({ length: consumers }, async () => {
    while (!done) {
      const { digest, problem } = await readSlot(mirror, id, pick(ARCHITECTURES));
      if (problem !== undefined) broken.push(problem);
      seen.add(digest);
      reads++;
    }
  });
  for (let refresh = 0; refresh < refreshes; refresh++) {
    for (const architecture of ARCHITECTURES) await upload(upstream, id, architecture);
    await synchronise(mirror, upstream.url);
  }
  done = true;
  await Promise.all(consuming);
  return { reads, versions: seen.size, broken };
}

async function untilIdle(mirror: ServerProcess, url: string): Promise<void> {
  for (let turn = 0; turn < 600; turn++) {
    const { syncState } = await readRemote(mirror, url);
    // One that was interrupted goes on by itself.
    if (syncState === 'idle') return;
    await sleep(50);
  }
  throw new Error('The mirror did not go on.');
}

async function findBrokenBytes(berth: ServerProcess, id: string): Promise<string[]> {
  const response = await fetch(artefactUrl(berth, id), { headers: INTERNAL });
  const { tarballs = {} } = (await response.json()) as { tarballs?: Record<string, unknown> };
  const problems = await Promise.all(
    Object.keys(tarballs).map(async (architecture) => (await readSlot(berth, id, architecture)).problem),
  );
  return problems.filter((problem) => problem !== undefined);
}

async function readSlot(
  berth: Pick<ServerProcess, 'url'>,
  id: string,
  architecture: string,
): Promise<{ digest: string; problem: string | undefined }> {
  const response = await fetch(`${artefactUrl(berth, id, 'tarball')}?architecture=${architecture}`, {
    headers: INTERNAL,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const isWhole =
    response.status === 200 &&
    response.headers.get('etag') === `"${digest}"` &&
    response.headers.get('x-artefact-architecture') === architecture;
  return {
    digest,
    problem: isWhole
      ? undefined
      : `${id} ${architecture}: ${response.status}, ${bytes.length} bytes of ${digest}, announced ` +
        `as ${response.headers.get('etag')}`,
  };
}

async function upload(berth: Pick<ServerProcess, 'url'>, id: string, architecture: string): Promise<void> {
  const form = new FormData();
  form.set('architecture', architecture);
  form.set(
    'file',
    new Blob([npmTarball('@acme/plugin', '1.0.0', randomBytes(randomInt(MAX_CONTENT_BYTES)))]),
    'plugin.tgz',
  );
  const response = await fetch(artefactUrl(berth, 'npm', id), { method: 'POST', headers: INTERNAL, body: form });
  if (response.status !== 201) throw new Error(`${id} was refused: ${await response.text()}`);
  await response.body?.cancel();
}

function pick<T>(items: readonly T[]): T {
  return items[randomInt(items.length)] as T;
}

if (import.meta.main) {
  await runBench(async ({ directory, sizes, say }) => {
    const { runs: kills, refreshes } = sizes({ full: { runs: 100, refreshes: 30 }, small: { runs: 4, refreshes: 2 } });
    const crashes = await runMirrorCrashes(kills);
    for (const line of crashes.broken) say(line);
    say(`${crashes.met} of ${crashes.kills} kills met a synchronisation that ran`);
    const reading = await readWhileRefreshing(directory, { consumers: 50, refreshes });
    for (const line of reading.broken.slice(0, 10)) say(line);
    say(`${reading.reads} reads by 50 consumers met ${reading.versions} different tarballs`);
    return [
      {
        claim: `federation-crash: slots that differ after ${kills} SIGKILLs of either side`,
        unit: 'broken',
        ours: [crashes.broken.length],
        bar: { atMost: 0 },
      },
      {
        claim: 'federation-crash: answers that were not whole to 50 consumers of a mirror that is refreshed',
        unit: 'broken',
        ours: [reading.broken.length],
        bar: { atMost: 0 },
      },
    ];
  });
}
