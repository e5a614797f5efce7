// Chooses the artefacts that a run looks at, and compares them with their local mirrors.

import {
  RemoteAnswerInvalidError,
  RemoteRefusedError,
  RemoteUnavailableError,
  toListed,
  type ListedArtefact,
  type Upstream,
  type UpstreamArtefact,
} from '../upstream/index.ts';
import { describeFailures, hasShrunk, NAMED_FAILURES } from './operations.ts';
import type { ArtefactResult, Remote } from './remote.ts';
import type { RemoteRepository } from './repository.ts';

/** An artefact that a run looks at. */
export interface Candidate {
  id: string;
  /** Undefined if the remote registry does not have it, or its document is unusable. */
  artefact: ListedArtefact | undefined;
  /** Why its document is unusable. */
  unusable?: string;
}

/** Digests of local slots, by architecture. */
export type LocalDigests = ReadonlyMap<string, string>;

/** The remote registry has lost more than half of its artefacts or slots: a superadmin has to confirm the run. */
export class TooManyRemovedError extends Error {
  override readonly name = 'TooManyRemovedError';
}

/** The remote registry could not be read, for the reason in `cause`: no artefact was compared. */
export class UnreadError extends Error {
  override readonly name = 'UnreadError';
  override readonly cause: Error;

  constructor(ids: readonly string[], cause: Error) {
    const first = ids.slice(0, NAMED_FAILURES).map((artefactId) => ({ artefactId, reason: cause.message }));
    super(ids.length === 0 ? cause.message : describeFailures(first, ids.length));
    this.cause = cause;
  }
}

/** Characters of all documents that a run keeps; it reads the others again when it mirrors them. */
const MAX_KEPT_TEXT = 8 * 1024 * 1024;
/** Of all artefacts that a run compares: more than any registry has. */
const MAX_COMPARED_SLOTS = 200_000;

export interface FullRead {
  rows: RemoteRepository;
  remote: Remote;
  upstream: Upstream;
  /** Artefacts that are selected by id, or that a pattern matched before. */
  knownIds: ReadonlySet<string>;
  signal: AbortSignal;
}

/**
 * Reads all artefacts that are selected by id or by pattern, and selects those that a pattern matches for the first
 * time.
 * @throws TooManyRemovedError when the list has lost more than half of its artefacts
 */
export async function readAllCandidates({ rows, remote, upstream, knownIds, signal }: FullRead): Promise<Candidate[]> {
  if (knownIds.size === 0 && remote.selectedPatterns.length === 0) return [];
  const byId = new Map<string, ListedArtefact>();
  const unusable = new Map<string, string>();
  const keep = createTextBudget();
  let count = 0;
  let slots = 0;
  for await (const page of upstream.pages({ patterns: remote.selectedPatterns, form: 'artefact' }, signal)) {
    count += page.entries;
    for (const artefact of page.artefacts) {
      if (!artefact.isMatch && !knownIds.has(artefact.id)) continue;
      byId.set(artefact.id, keep(artefact));
      slots += artefact.slots.length;
    }
    if (slots > MAX_COMPARED_SLOTS)
      throw new RemoteAnswerInvalidError(`The selected artefacts have more than ${MAX_COMPARED_SLOTS} slots.`);
    for (const { id, reason } of page.unusable) if (knownIds.has(id)) unusable.set(id, reason);
  }
  if (!remote.request?.confirmed) assertListNotShrunk(remote.upstreamCount ?? 0, count);
  await rows.update(remote.id, { upstream_count: count });
  const newIds = [...byId.keys()].filter((id) => !knownIds.has(id));
  await rows.select(remote.id, newIds, false);
  const candidates: Candidate[] = [];
  for (const id of [...knownIds, ...newIds]) {
    const reason = unusable.get(id);
    const artefact = byId.get(id);
    if (reason !== undefined) candidates.push({ id, artefact: undefined, unusable: reason });
    // A list may omit artefacts whose documents are still served, such as deprecated ones of an older registry.
    else candidates.push(artefact ? { id, artefact } : await readCandidate(upstream, id, keep, signal));
  }
  return candidates;
}

export async function readCandidates(
  upstream: Upstream,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Candidate[]> {
  const keep = createTextBudget();
  const candidates: Candidate[] = [];
  for (const id of ids) candidates.push(await readCandidate(upstream, id, keep, signal));
  return candidates;
}

/** Reads the document of a candidate; undefined if the remote registry no longer has it. */
export async function documentOf(
  { id, text }: ListedArtefact,
  upstream: Upstream,
  signal: AbortSignal,
): Promise<UpstreamArtefact | undefined> {
  return text === undefined ? upstream.artefact(id, signal) : (JSON.parse(text) as UpstreamArtefact);
}

/** Returns a function that drops the texts of artefacts beyond MAX_KEPT_TEXT. */
function createTextBudget(): (artefact: ListedArtefact) => ListedArtefact {
  let keptLength = 0;
  return (artefact) => {
    const length = keptLength + (artefact.text?.length ?? 0);
    if (length > MAX_KEPT_TEXT) return { ...artefact, text: undefined };
    keptLength = length;
    return artefact;
  };
}

/** Tells whether a remote registry cannot be reached, refuses, or sends what is no valid answer. */
export function isUpstreamError(error: unknown): error is Error {
  return (
    error instanceof RemoteUnavailableError ||
    error instanceof RemoteRefusedError ||
    error instanceof RemoteAnswerInvalidError
  );
}

/** Lists all artefacts that are selected by id, or that a pattern matched before. */
export async function selectedIds(rows: RemoteRepository, { id }: Remote): Promise<string[]> {
  return (await rows.results(id)).map(({ artefactId }) => artefactId);
}

/** Lists artefacts that are newly selected or due for a retry; with `onlyFailed` also all that failed. */
export async function dueIds(rows: RemoteRepository, { id, request }: Remote, now: Date): Promise<string[]> {
  return (await rows.results(id))
    .filter(
      ({ status, nextTryAt }) =>
        (nextTryAt !== undefined && nextTryAt <= now.toISOString()) || (request?.onlyFailed && status === 'failed'),
    )
    .map(({ artefactId }) => artefactId);
}

async function readCandidate(
  upstream: Upstream,
  id: string,
  keep: (artefact: ListedArtefact) => ListedArtefact,
  signal: AbortSignal,
): Promise<Candidate> {
  try {
    const artefact = await upstream.artefact(id, signal);
    return { id, artefact: artefact && keep(toListed(artefact, false, 'artefact')) };
  } catch (error) {
    if (!(error instanceof RemoteAnswerInvalidError)) throw error;
    return { id, artefact: undefined, unusable: error.message };
  }
}

/** @throws TooManyRemovedError when the list has lost more than half of its artefacts */
export function assertListNotShrunk(previousCount: number, count: number): void {
  if (hasShrunk(previousCount, count))
    throw new TooManyRemovedError(
      `The list of the remote registry went from ${previousCount} artefacts to ${count}: nothing was changed here. ` +
        'If that is right, synchronise with confirm=true.',
    );
}

/** @throws TooManyRemovedError when more than half of all mirrored slots would be removed */
export function assertSlotsNotShrunk(
  candidates: readonly Candidate[],
  localDigests: ReadonlyMap<string, LocalDigests>,
): void {
  let [slots, removed] = [0, 0];
  for (const { id, artefact } of candidates) {
    const local = localDigests.get(id);
    if (!artefact || !local) continue;
    slots += local.size;
    removed += [...local.keys()].filter(
      (architecture) => !artefact.slots.some((slot) => slot.architecture === architecture),
    ).length;
  }
  if (removed > 1 && hasShrunk(slots, slots - removed))
    throw new TooManyRemovedError(
      `The remote registry has removed ${removed} of ${slots} mirrored slots: nothing was changed here. ` +
        'If that is right, synchronise with confirm=true.',
    );
}

/**
 * Returns why an artefact must not be mirrored: its id is in use here by another artefact, or it originates from this
 * registry.
 * @param localOrigin origin of the local artefact with its id: '' for one of this registry, undefined for none
 */
export function conflictOf(
  artefact: ListedArtefact,
  localOrigin: string | undefined,
  { remoteId, ownUrl }: { remoteId: string; ownUrl: string },
): string | undefined {
  if (artefact.origin === ownUrl) return 'The remote registry mirrors it from this one.';
  if (localOrigin === undefined || localOrigin === remoteId) return undefined;
  const owner = localOrigin === '' ? 'an artefact of this registry' : `a mirror of ${localOrigin}`;
  return `The id is already in use here by ${owner}.`;
}

/** Compares metadata and digests; local bytes are read back by `verify` only. */
export function isUpToDate(
  artefact: ListedArtefact,
  result: ArtefactResult | undefined,
  local: LocalDigests | undefined,
): boolean {
  return (
    local !== undefined &&
    result?.upstreamState === artefact.fingerprint &&
    local.size === artefact.slots.length &&
    artefact.slots.every(
      ({ architecture, digest }) =>
        local.has(architecture) && (digest === undefined || local.get(architecture) === digest),
    )
  );
}

/** Returns how many bytes an update has to fetch at most. */
export function missingBytes({ slots }: ListedArtefact, local: LocalDigests | undefined): number {
  const localDigests = new Set(local?.values() ?? []);
  return slots.reduce(
    (sum, { digest, sizeBytes }) => sum + (digest !== undefined && localDigests.has(digest) ? 0 : (sizeBytes ?? 0)),
    0,
  );
}
