// Many concurrent publishers to few artefacts through three replicas: no slot may be lost, no document may mix two
// uploads, and every replica must serve the bytes of each slot's digest. The claim is for 50 publishers and 20 rounds,
// the tests run fewer rounds.

import { randomBytes } from 'node:crypto';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench } from './support/bench.ts';
import { digestOf, findRowsWithoutBytes } from './support/invariants.ts';
import type { ServerProcess } from './support/processes.ts';
import { openClusterSite, type Site } from './support/sites.ts';
import { npmTarball } from './support/tarball.ts';

const REPLICAS = 3;
const IDS = Array.from({ length: 10 }, (_unused, index) => `@acme/plugin-${index}@1`);
const SLOTS = IDS.flatMap((id) => ['noarch', 'x64', 'arm64'].map((architecture) => ({ id, architecture })));
const CONTENT_BYTES = 20_000;

interface Slot {
  digest: string;
  version: string;
  size: number;
  path: string;
  uploadedAt: string;
}
interface Document {
  _id: string;
  version: string;
  licence: string;
  size: number;
  path: string;
  dataUpdatedAt: string;
  updatedAt: string;
  tarballs: Record<string, Slot>;
}
/** Properties that identify an upload. The document has the version and licence of the latest one. */
interface Upload {
  id: string;
  architecture: string;
  digest: string;
  version: string;
  licence: string;
  sizeBytes: number;
}

export interface PublishersReport {
  uploads: number;
  uploadsPerSecond: number;
  documentsRead: number;
  broken: string[];
}

/** Runs the rounds on a fresh site and reports every broken invariant. */
export async function runPublishers(
  { publishers, rounds }: { publishers: number; rounds: number },
  open: () => Promise<Site> = openClusterSite,
): Promise<PublishersReport> {
  await using site = await open();
  const berths: ServerProcess[] = [];
  for (let count = 0; count < REPLICAS; count++) berths.push(await startBerth(site.dataDir, site.env));
  const report: PublishersReport = { uploads: 0, uploadsPerSecond: 0, documentsRead: 0, broken: [] };
  const known = new Map<string, Upload>();
  let uploadingMs = 0;
  try {
    for (let round = 0; round < rounds && report.broken.length === 0; round++) {
      const startedAt = performance.now();
      const readers = startReaders(berths, known, report);
      const uploads = await Promise.all(
        Array.from({ length: publishers }, (_unused, publisher) =>
          publish(berths[publisher % REPLICAS]!, publisher, round, known, report),
        ),
      );
      uploadingMs += performance.now() - startedAt;
      await readers.stop();
      await checkRound(berths, uploads, known, report);
    }
  } finally {
    await Promise.all(berths.map((berth) => berth.stop()));
  }
  report.broken.push(...(await findRowsWithoutBytes(site)));
  report.uploadsPerSecond = (report.uploads / uploadingMs) * 1000;
  return report;
}

async function publish(
  berth: ServerProcess,
  publisher: number,
  round: number,
  known: Map<string, Upload>,
  report: PublishersReport,
): Promise<Upload> {
  // In each round, some slots get one upload, others two concurrent ones.
  const { id, architecture } = SLOTS[(publisher + round) % SLOTS.length]!;
  const [version, licence] = [`${round}.${publisher}.0`, `L-${round}-${publisher}`];
  const tarball = npmTarball(`@acme/plugin-${id}`, version, randomBytes(CONTENT_BYTES + publisher), licence);
  const upload = { id, architecture, version, licence, digest: digestOf(tarball), sizeBytes: tarball.length };
  known.set(upload.digest, upload);
  const form = new FormData();
  form.set('architecture', architecture);
  form.set('file', new Blob([tarball]), 'plugin.tgz');
  const response = await fetch(artefactUrl(berth, 'npm', id), { method: 'POST', headers: INTERNAL, body: form });
  const body = await response.text();
  if (response.status === 201) {
    report.uploads++;
    report.broken.push(...findMixtures((JSON.parse(body) as { artefact: Document }).artefact, known));
  } else {
    report.broken.push(`an upload to ${id} ${architecture} got status ${response.status}: ${body}`);
  }
  return upload;
}

/** Reads documents from all replicas until it is stopped. */
function startReaders(
  berths: ServerProcess[],
  known: Map<string, Upload>,
  report: PublishersReport,
): { stop(): Promise<void> } {
  let running = true;
  const reading = Promise.all(
    berths.map(async (berth, index) => {
      for (let count = index; running; count++) {
        const response = await fetch(artefactUrl(berth, IDS[count % IDS.length]!), { headers: INTERNAL });
        if (response.status === 404) {
          await response.body?.cancel();
          continue;
        }
        report.broken.push(...findMixtures((await response.json()) as Document, known));
        report.documentsRead++;
      }
    }),
  );
  return {
    stop: async () => {
      running = false;
      await reading;
    },
  };
}

/** Checks after a round that each slot holds one of its uploads of that round, on all replicas. */
async function checkRound(
  berths: ServerProcess[],
  uploads: Upload[],
  known: Map<string, Upload>,
  report: PublishersReport,
): Promise<void> {
  // Few publishers do not reach all of them.
  for (const id of new Set(Array.from(known.values(), (upload) => upload.id))) {
    const documents = await Promise.all(
      berths.map(
        async (berth) => (await fetch(artefactUrl(berth, id), { headers: INTERNAL })).json() as Promise<Document>,
      ),
    );
    if (new Set(documents.map((document) => JSON.stringify(document))).size > 1)
      report.broken.push(`the replicas return different documents of ${id}`);
    report.broken.push(...findMixtures(documents[0]!, known));
    for (const [index, architecture] of ['noarch', 'x64', 'arm64'].entries()) {
      const candidates = uploads.filter((upload) => upload.id === id && upload.architecture === architecture);
      const slot = documents[0]?.tarballs[architecture];
      if (candidates.length > 0 && !candidates.some(({ digest }) => digest === slot?.digest))
        report.broken.push(`${id} ${architecture} lost the uploads of a round`);
      if (!slot) continue;
      const response = await fetch(
        `${artefactUrl(berths[index % berths.length]!, id, 'tarball')}?architecture=${architecture}`,
        { headers: INTERNAL },
      );
      if (digestOf(new Uint8Array(await response.arrayBuffer())) !== slot.digest)
        report.broken.push(`${id} ${architecture} does not serve the bytes of its digest`);
    }
  }
}

/** Describes parts of a document that cannot result from complete uploads. */
function findMixtures({ _id: id, tarballs, ...root }: Document, known: Map<string, Upload>): string[] {
  const broken: string[] = [];
  for (const [architecture, slot] of Object.entries(tarballs)) {
    const upload = known.get(slot.digest);
    const expected = upload && { id, architecture, version: upload.version, sizeBytes: upload.sizeBytes };
    const actual = { id: upload?.id, architecture: upload?.architecture, version: slot.version, sizeBytes: slot.size };
    if (JSON.stringify(expected) !== JSON.stringify(actual))
      broken.push(`${id} ${architecture} mixes uploads: ${JSON.stringify(slot)}`);
  }
  const last = Object.values(tarballs).reduce((one, other) => (one.uploadedAt > other.uploadedAt ? one : other));
  const upload = known.get(last.digest);
  if (
    root.version !== upload?.version ||
    root.licence !== upload.licence ||
    root.size !== last.size ||
    root.dataUpdatedAt !== last.uploadedAt ||
    root.updatedAt !== last.uploadedAt
  ) {
    broken.push(`the document of ${id} mixes uploads: ${JSON.stringify(root)} with ${JSON.stringify(last)}`);
  }
  return broken;
}

if (import.meta.main) {
  await runBench(async ({ sizes, log }) => {
    const { runs: rounds, publishers } = sizes({
      full: { runs: 20, publishers: 50 },
      small: { runs: 2, publishers: 12 },
    });
    const { broken, uploads, uploadsPerSecond, documentsRead } = await runPublishers({ publishers, rounds });
    for (const invariant of broken) log(invariant);
    log(`${uploads} uploads, ${uploadsPerSecond.toFixed(1)} per second, ${documentsRead} documents read meanwhile`);
    return [
      {
        claim: `publishers: invariants after ${rounds} rounds of ${publishers} publishers over ${REPLICAS} replicas`,
        unit: 'broken',
        ours: [broken.length],
        bar: { atMost: 0 },
      },
    ];
  });
}
