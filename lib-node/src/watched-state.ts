// Reads the state of a watched artefact, and says whether it differs from the one that was reported last.

import { createHash } from 'node:crypto';
import { readDocument, readDocumentUnless } from './document.ts';
import type { ReadDocument } from './document.ts';
import { RegistryError } from './errors.ts';
import type { ArtefactUpdate } from './options.ts';
import type { Registry } from './registry.ts';
import type { Artefact } from './types.ts';

export interface WatchedRegistry {
  registry: Registry;
  /**
   * Whether the registry states the code of every refusal, as all but the first ones do. Then one without comes from
   * something in front of it, such as an ingress without a server, and says nothing about an artefact.
   */
  statesCodes: boolean;
}

/** What was reported last: some hundred bytes, instead of the document. */
export interface ReportedState {
  etag: string | undefined;
  /** Digest of the document; `not_found` or `not_shared` if there is none. */
  fingerprint: string;
  dataUpdatedAt: string | undefined;
}

export interface ReadState {
  update: ArtefactUpdate;
  state: ReportedState;
}

/**
 * Reads an artefact's state; undefined if it is as reported.
 * @throws RegistryError if the registry does not say what it is
 */
export async function readState(
  target: WatchedRegistry,
  id: string,
  reported: ReportedState | undefined,
  signal: AbortSignal,
): Promise<ReadState | undefined> {
  let read: ReadDocument | undefined;
  try {
    read = await readAgain(target.registry, id, reported?.etag, signal);
  } catch (error) {
    const absence = absenceOf(target, error);
    if (absence === undefined) throw error;
    if (absence === reported?.fingerprint) return undefined;
    const state = { etag: undefined, fingerprint: absence, dataUpdatedAt: undefined };
    return { update: { id, state: absence, artefact: undefined, dataChanged: false }, state };
  }
  if (read === undefined) return undefined;
  const state = describe(read);
  if (state.fingerprint === reported?.fingerprint) return undefined;
  const dataChanged = state.dataUpdatedAt === undefined || state.dataUpdatedAt !== reported?.dataUpdatedAt;
  return { update: { id, state: 'available', artefact: read.document, dataChanged }, state };
}

async function readAgain(
  registry: Registry,
  id: string,
  etag: string | undefined,
  signal: AbortSignal,
): Promise<ReadDocument | undefined> {
  if (etag === undefined) return await readDocument(registry, id, signal);
  return await readDocumentUnless(registry, id, etag, signal);
}

function describe({ document, etag }: ReadDocument): ReportedState {
  const fingerprint = createHash('sha256').update(JSON.stringify(document)).digest('base64');
  return { etag, fingerprint, dataUpdatedAt: dateOf(document) };
}

const dateOf = ({ updatedAt, dataUpdatedAt = updatedAt }: Artefact): string | undefined => dataUpdatedAt;

/** Notes that the registry states codes, if this refusal has one. */
export function learnFrom(target: WatchedRegistry, error: unknown): void {
  if (error instanceof RegistryError && error.status >= 400 && !error.code.startsWith('http_'))
    target.statesCodes = true;
}

/** Interprets a refusal as a state; undefined for those that say nothing about the artefact, as of a revoked key. */
function absenceOf(target: WatchedRegistry, error: unknown): 'not_found' | 'not_shared' | undefined {
  if (!(error instanceof RegistryError)) return undefined;
  learnFrom(target, error);
  switch (error.code) {
    case 'artefact_not_found':
      return 'not_found';
    case 'not_shared':
      return 'not_shared';
    case 'http_404':
      return target.statesCodes ? undefined : 'not_found';
    case 'http_403':
      return target.statesCodes ? undefined : 'not_shared';
  }
  return undefined;
}
