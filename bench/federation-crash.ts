// Kills the upstream or the mirror at random moments of a synchronisation, while the upstream changes: one undisturbed
// run must then make the slots of both equal. Also, 50 consumers read from a mirror while it is refreshed: every
// response must match its digest. The claim is for 100 kills, the tests run a few.

import { createHash, randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench } from './support/bench.ts';
import {
  addRemote,
  startSync,
  keepSession,
  makeReadKey,
  publishAll,
  readDigests,
  readRemote,
  synchronise,
} from './support/federation.ts';
import { expireLeases } from './support/housekeeping.ts';
import { freePort, type ServerProcess } from './support/processes.ts';
import { openEmbeddedSite, type Site } from './support/sites.ts';
import { npmTarball } from './support/tarball.ts';

const IDS = Array.from({ length: 6 }, (_unused, index) => `@acme/plugin-${index}@1`);
const ARCHITECTURES = ['noarch', 'x64', 'arm64'];
/** Large enough for most kills to hit a running synchronisation. */
const MAX_CONTENT_BYTES = 24 * 1024 * 1024;
const MAX_LIFE_MS = 300;

export interface MirrorCrashReport {
  kills: number;
  /** Kills just before which the mirror reported a running synchronisation. */
  hits: number;
  broken: string[];
}

/** Runs the rounds on two fresh embedded instances, and reports the differences at the end. */
export async function runMirrorCrashes(kills: number): Promise<MirrorCrashReport> {
  await using original = await openEmbeddedSite();
  await using copy = await openEmbeddedSite();
  const upstreamPort = String(await freePort());
  const start = (site: Site, port?: string) =>
    startBerth(site.dataDir, { ...site.env, ...(port !== undefined && { PORT: port }) });
  // The upstream keeps its address, which identifies the remote registry.
  let upstream = await start(original, upstreamPort);
  const url = `http://127.0.0.1:${upstreamPort}`;
  let mirror = await start(copy);
  try {
    for (const id of IDS) await upload(upstream, id, 'noarch');
    await publishAll({ url }, IDS);
    await addRemote(mirror, url, await makeReadKey({ url }));
    let hits = 0;
    for (let killed = 0; killed < kills; killed++) {
      for (let change = 0; change < 3; change++) await upload({ url }, pick(IDS), pick(ARCHITECTURES));
      await startSync(mirror, url);
      await sleep(randomInt(MAX_LIFE_MS));
      if ((await readRemote(mirror, url)).syncState === 'running') hits++;
      if (killed % 2 === 0) {
        await mirror.kill();
        await expireLeases(copy);
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
      .map((slot) => `${slot}: ${ours[slot]} at the mirror, ${theirs[slot]} upstream`);
    for (const id of IDS) broken.push(...(await findBrokenBytes(mirror, id)));
    return { kills, hits, broken };
  } finally {
    await Promise.all([mirror.kill(), upstream.kill()]);
  }
}

/** Lets consumers read artefacts of a mirror while it is refreshed, and reports every invalid response. */
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
  const digests = new Set<string>();
  let reads = 0;
  let done = false;
  const consuming = Array.from({ length: consumers }, async () => {
    while (!done) {
      const { digest, problem } = await readSlot(mirror, id, pick(ARCHITECTURES));
      if (problem !== undefined) broken.push(problem);
      digests.add(digest);
      reads++;
    }
  });
  for (let refresh = 0; refresh < refreshes; refresh++) {
    for (const architecture of ARCHITECTURES) await upload(upstream, id, architecture);
    await synchronise(mirror, upstream.url);
  }
  done = true;
  await Promise.all(consuming);
  return { reads, versions: digests.size, broken };
}

async function untilIdle(mirror: ServerProcess, url: string): Promise<void> {
  for (let turn = 0; turn < 600; turn++) {
    const { syncState } = await readRemote(mirror, url);
    // An interrupted run is continued automatically.
    if (syncState === 'idle') return;
    await sleep(50);
  }
  throw new Error('The mirror did not become idle.');
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
  const isValid =
    response.status === 200 &&
    response.headers.get('etag') === `"${digest}"` &&
    response.headers.get('x-artefact-architecture') === architecture;
  return {
    digest,
    problem: isValid
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
  if (response.status !== 201) throw new Error(`uploading ${id} failed: ${await response.text()}`);
  await response.body?.cancel();
}

function pick<T>(items: readonly T[]): T {
  return items[randomInt(items.length)] as T;
}

if (import.meta.main) {
  await runBench(async ({ directory, sizes, log }) => {
    const { runs: kills, refreshes } = sizes({ full: { runs: 100, refreshes: 30 }, small: { runs: 4, refreshes: 2 } });
    const crashes = await runMirrorCrashes(kills);
    for (const line of crashes.broken) log(line);
    log(`${crashes.hits} of ${crashes.kills} kills hit a running synchronisation`);
    const reading = await readWhileRefreshing(directory, { consumers: 50, refreshes });
    for (const line of reading.broken.slice(0, 10)) log(line);
    log(`${reading.reads} reads by 50 consumers returned ${reading.versions} different tarballs`);
    return [
      {
        claim: `federation-crash: slots that differ after ${kills} SIGKILLs of either side`,
        unit: 'broken',
        ours: [crashes.broken.length],
        bar: { atMost: 0 },
      },
      {
        claim: 'federation-crash: invalid responses to 50 consumers of a mirror during refreshes',
        unit: 'broken',
        ours: [reading.broken.length],
        bar: { atMost: 0 },
      },
    ];
  });
}
