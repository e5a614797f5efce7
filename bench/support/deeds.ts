// What clients do to a Berth that may be killed at any moment: upload, at once or resumably, swap, delete.

import { randomBytes, randomInt } from 'node:crypto';
import { artefactUrl, INTERNAL } from './berth-process.ts';
import { ABSENT, type Expectations } from './expectations.ts';
import { digestOf } from './invariants.ts';
import type { ServerProcess } from './processes.ts';
import type { ResumableClient } from './resumable-deed.ts';
import { npmTarball } from './tarball.ts';

/** One client of several, by its number. */
export interface Client {
  berth: ServerProcess;
  worker: number;
  expectations: Expectations;
  resumable: ResumableClient;
}

interface Slot {
  id: string;
  architecture: string;
}

const SHARED_IDS = ['@acme/import-gpkg@1', '@acme/import-gpkg@main'];
/**
 * Of the artefacts that all work on, each client has an architecture to itself: its answers come in the order of its
 * commits.
 */
const ARCHITECTURES = ['noarch', 'x64', 'arm64', 'ia32'];
export const MAX_WORKERS = ARCHITECTURES.length;
const MAX_CONTENT_BYTES = 3 * 1024 * 1024;

/** By how often. */
const DEEDS: readonly { share: number; run: (client: Client) => Promise<void> }[] = [
  { share: 6, run: (client) => upload(client, sharedSlot(client)) },
  { share: 3, run: uploadResumably },
  {
    share: 2,
    run: (client) =>
      remove(client, sharedSlot(client), (berth, { id, architecture }) =>
        artefactUrl(berth, id, 'tarballs', architecture),
      ),
  },
  { share: 2, run: (client) => upload(client, ownSlot(client)) },
  { share: 1, run: (client) => remove(client, ownSlot(client), (berth, { id }) => artefactUrl(berth, id)) },
];

/** Draws what a client does next; it resolves whether there was an answer or not. */
export function chooseDeed(): (client: Client) => Promise<void> {
  let lot = randomInt(DEEDS.reduce((sum, { share }) => sum + share, 0));
  for (const { share, run } of DEEDS) if ((lot -= share) < 0) return run;
  throw new Error('a lot is below the sum of all shares');
}

const sharedSlot = ({ worker }: Client): Slot => ({
  id: SHARED_IDS[randomInt(SHARED_IDS.length)] ?? '',
  architecture: ARCHITECTURES[worker] ?? '',
});
const ownSlot = ({ worker }: Client): Slot => ({ id: `@acme/own-${worker}`, architecture: 'noarch' });
const nameOf = ({ id, architecture }: Slot) => `${id} ${architecture}`;

const drawTarball = () => npmTarball('@acme/import-gpkg', '1.0.0', randomBytes(randomInt(MAX_CONTENT_BYTES)));

async function upload({ berth, expectations }: Client, slot: Slot): Promise<void> {
  const tarball = drawTarball();
  const form = new FormData();
  form.set('architecture', slot.architecture);
  form.set('file', new Blob([tarball]), 'plugin.tgz');
  await expectations.attempt(nameOf(slot), digestOf(tarball), () =>
    send(artefactUrl(berth, 'npm', slot.id), { method: 'POST', body: form }, [201]),
  );
}

/** Ends what a kill has cut, if there is such an upload. */
async function uploadResumably(client: Client): Promise<void> {
  const { berth, expectations, resumable } = client;
  if (resumable.hasUnfinished()) await resumable.resume(berth, expectations);
  else await resumable.begin(berth, expectations, sharedSlot(client), drawTarball());
}

async function remove(
  { berth, expectations }: Client,
  slot: Slot,
  urlOf: (berth: ServerProcess, slot: Slot) => string,
): Promise<void> {
  await expectations.attempt(nameOf(slot), ABSENT, () => send(urlOf(berth, slot), { method: 'DELETE' }, [204, 404]));
}

/** @returns what is wrong with the answer */
async function send(url: string, init: RequestInit, expected: number[]): Promise<string | undefined> {
  const response = await fetch(url, { headers: INTERNAL, ...init });
  const text = await response.text();
  return expected.includes(response.status)
    ? undefined
    : `${init.method} was answered with ${response.status}: ${text}`;
}
