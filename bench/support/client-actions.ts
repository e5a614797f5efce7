// Random actions of clients on a server that may be killed at any moment: upload by form or resumably, swap, delete.

import { randomBytes, randomInt } from 'node:crypto';
import { artefactUrl, INTERNAL } from './berth-process.ts';
import { ABSENT, type Expectations } from './expectations.ts';
import { digestOf } from './invariants.ts';
import type { ServerProcess } from './processes.ts';
import type { ResumableClient } from './resumable-client.ts';
import { npmTarball } from './tarball.ts';

/** One of several concurrent clients. */
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
/** Each client has its own architecture of the shared artefacts, so that its responses arrive in commit order. */
const ARCHITECTURES = ['noarch', 'x64', 'arm64', 'ia32'];
export const MAX_WORKERS = ARCHITECTURES.length;
const MAX_CONTENT_BYTES = 3 * 1024 * 1024;

/** Actions with their relative frequency. */
const ACTIONS: readonly { weight: number; run: (client: Client) => Promise<void> }[] = [
  { weight: 6, run: (client) => upload(client, sharedSlot(client)) },
  { weight: 3, run: uploadResumably },
  {
    weight: 2,
    run: (client) =>
      remove(client, sharedSlot(client), (berth, { id, architecture }) =>
        artefactUrl(berth, id, 'tarballs', architecture),
      ),
  },
  { weight: 2, run: (client) => upload(client, ownSlot(client)) },
  { weight: 1, run: (client) => remove(client, ownSlot(client), (berth, { id }) => artefactUrl(berth, id)) },
];

/** Draws a random action; it resolves whether or not a response arrived. */
export function chooseAction(): (client: Client) => Promise<void> {
  let lot = randomInt(ACTIONS.reduce((sum, { weight }) => sum + weight, 0));
  for (const { weight, run } of ACTIONS) if ((lot -= weight) < 0) return run;
  throw new Error('a lot is below the sum of all weights');
}

const sharedSlot = ({ worker }: Client): Slot => ({
  id: SHARED_IDS[randomInt(SHARED_IDS.length)] ?? '',
  architecture: ARCHITECTURES[worker] ?? '',
});
const ownSlot = ({ worker }: Client): Slot => ({ id: `@acme/own-${worker}`, architecture: 'noarch' });
const nameOf = ({ id, architecture }: Slot) => `${id} ${architecture}`;

const randomTarball = () => npmTarball('@acme/import-gpkg', '1.0.0', randomBytes(randomInt(MAX_CONTENT_BYTES)));

async function upload({ berth, expectations }: Client, slot: Slot): Promise<void> {
  const tarball = randomTarball();
  const form = new FormData();
  form.set('architecture', slot.architecture);
  form.set('file', new Blob([tarball]), 'plugin.tgz');
  await expectations.attempt(nameOf(slot), digestOf(tarball), () =>
    send(artefactUrl(berth, 'npm', slot.id), { method: 'POST', body: form }, [201]),
  );
}

/** Resumes the upload that a kill has interrupted, or starts a new one. */
async function uploadResumably(client: Client): Promise<void> {
  const { berth, expectations, resumable } = client;
  if (resumable.hasUnfinished()) await resumable.resume(berth, expectations);
  else await resumable.begin(berth, expectations, sharedSlot(client), randomTarball());
}

async function remove(
  { berth, expectations }: Client,
  slot: Slot,
  urlOf: (berth: ServerProcess, slot: Slot) => string,
): Promise<void> {
  await expectations.attempt(nameOf(slot), ABSENT, () => send(urlOf(berth, slot), { method: 'DELETE' }, [204, 404]));
}

/** @returns a description of an unexpected response, or undefined */
async function send(url: string, init: RequestInit, expected: number[]): Promise<string | undefined> {
  const response = await fetch(url, { headers: INTERNAL, ...init });
  const text = await response.text();
  return expected.includes(response.status) ? undefined : `${init.method} got status ${response.status}: ${text}`;
}
