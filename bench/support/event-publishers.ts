// Clients that upload, edit and delete through replicas that may be killed at any moment.

import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { artefactUrl } from './berth-process.ts';
import { UnexpectedResponse, type ChangeLedger, type Outcome } from './change-ledger.ts';
import type { StreamedEvent } from './event-stream.ts';
import { digestOf } from './invariants.ts';
import { npmTarball } from './tarball.ts';

/** One of several concurrent clients. */
export interface Publisher {
  /** Address of a replica, drawn for each request. */
  pickUrl: () => string;
  headers: Record<string, string>;
  worker: number;
  ledger: ChangeLedger;
}

interface Action {
  id: string;
  lane: string;
  signature: string;
  method: string;
  /** Below the artefact's URL, or instead of its ID. */
  path: (id: string) => string[];
  body?: FormData | object;
  /** Statuses of a change, and of nothing to change. */
  done: number;
  nothing?: number;
}

const SHARED_ID = '@acme/shared@1';
/** Each client has its own of the shared artefact, so that its changes are one lane. */
const ARCHITECTURES = ['noarch', 'x64', 'arm64', 'ia32'];
export const MAX_PUBLISHERS = ARCHITECTURES.length;
const MAX_CONTENT_BYTES = 20_000;
const RETRY_MS = 50;

/** Kinds of changes, as often as they are chosen. */
const ACTIONS: readonly ((publisher: Publisher) => Action)[] = [
  // Never touched again, so that the artefact tells whether it was created.
  ...times(3, () => upload(`@acme/new-${randomBytes(6).toString('hex')}`)),
  ...times(3, (publisher) => upload(ownId(publisher))),
  ...times(3, (publisher) => upload(SHARED_ID, architectureOf(publisher))),
  ...times(2, (publisher) => edit(ownId(publisher))),
  (publisher) => remove(ownId(publisher)),
  (publisher) => removeSlot(SHARED_ID, architectureOf(publisher)),
];

const ownId = ({ worker }: Publisher) => `@acme/own-${worker}`;
const architectureOf = ({ worker }: Publisher) => ARCHITECTURES[worker] ?? '';

/** The lane of an event's change. */
export function laneOf({ subject, data }: StreamedEvent): string {
  if (subject !== SHARED_ID) return subject;
  const { architecture = Object.keys(data['slots'] ?? {})[0] } = data as { architecture?: string };
  return `${subject} ${architecture}`;
}

/** Makes changes, one after the other, until it is stopped. */
export async function publishUntil(isStopped: () => boolean, publisher: Publisher): Promise<void> {
  while (!isStopped()) {
    const action = ACTIONS[randomInt(ACTIONS.length)]!(publisher);
    const isAnswered = await publisher.ledger.attempt(action.lane, action.signature, () => send(publisher, action));
    if (!isAnswered) await sleep(RETRY_MS);
  }
}

function upload(id: string, architecture = 'noarch'): Action {
  const tarball = npmTarball('@acme/plugin', '1.0.0', randomBytes(randomInt(MAX_CONTENT_BYTES)));
  const body = new FormData();
  body.set('architecture', architecture);
  body.set('file', new Blob([tarball]), 'plugin.tgz');
  return {
    id,
    lane: id === SHARED_ID ? `${id} ${architecture}` : id,
    signature: `berth.artefact.uploaded ${digestOf(tarball)}`,
    method: 'POST',
    path: () => ['npm', id],
    body,
    done: 201,
  };
}

function edit(id: string): Action {
  return {
    id,
    lane: id,
    signature: 'berth.artefact.metadata_changed',
    method: 'PATCH',
    path: () => [id],
    // New each time: an edit that changes nothing has no event.
    body: { title: { en: randomBytes(6).toString('hex') } },
    done: 200,
    nothing: 404,
  };
}

function remove(id: string): Action {
  const signature = 'berth.artefact.deleted';
  return { id, lane: id, signature, method: 'DELETE', path: () => [id], done: 204, nothing: 404 };
}

function removeSlot(id: string, architecture: string): Action {
  return {
    id,
    lane: `${id} ${architecture}`,
    signature: 'berth.slot.removed',
    method: 'DELETE',
    path: () => [id, 'tarballs', architecture],
    done: 204,
    nothing: 404,
  };
}

/** @throws UnexpectedResponse, or another error if none arrived */
async function send(
  { pickUrl, headers }: Publisher,
  { id, method, path, body, done, nothing }: Action,
): Promise<Outcome> {
  const isForm = body instanceof FormData;
  const response = await fetch(artefactUrl({ url: pickUrl() }, ...path(id)), {
    method,
    headers: { ...headers, ...(body !== undefined && !isForm && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  if (response.status === done) return 'done';
  if (response.status === nothing) return 'nothing';
  throw new UnexpectedResponse(`${method} got status ${response.status}: ${text}`);
}

function times(count: number, action: (publisher: Publisher) => Action) {
  return Array.from({ length: count }, () => action);
}
