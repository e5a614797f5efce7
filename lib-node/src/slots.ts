// Chooses what to download from an artefact's document, as the server would: the architecture's slot, else noarch.

import { parseDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { Artefact, ArtefactSlot } from './types.ts';

const NOARCH = 'noarch';

/** The tarball that a document offers to one architecture. */
export interface Offer {
  /** What these bytes are called: their digest, or `at:<dataUpdatedAt>` where the registry gives none. */
  key: string;
  digest: string | undefined;
  sizeBytes: number | undefined;
  version: string | undefined;
  dataUpdatedAt: string | undefined;
  /** Where the bytes are, below the artefact; registries that know no slots have `/download` only. */
  route: 'tarball' | 'download';
}

/**
 * Chooses the slot of `architecture`, else `noarch`; `''` asks for `noarch` only.
 *
 * @throws RegistryError `wrong_format` (400) on a file artefact, `slot_not_found` (404) when no slot fits
 */
export function chooseOffer(document: Artefact, architecture: string): Offer {
  const fail = (status: number, code: string, reason: string): RegistryError =>
    new RegistryError(`${document._id} ${reason}`, { status, code, artefactId: document._id });
  if (document.format === 'file') throw fail(400, 'wrong_format', 'is a file artefact, not an npm package');
  const slots = document.tarballs;
  if (slots === undefined && typeof document.path === 'string') return describe(document, document, 'download');
  const slot = [architecture, NOARCH].filter((name) => slots !== undefined && Object.hasOwn(slots, name)).map((name) => slots?.[name])[0];
  if (slot === undefined) throw fail(404, 'slot_not_found', `has no tarball for ${architecture || NOARCH}${architecture === '' ? '' : ` and no ${NOARCH} one`}`);
  return describe(document, slot, 'tarball');
}

/** Names the slot to ask for in a download's query. */
export function requestedSlot(architecture: string): string { return architecture === '' ? NOARCH : architecture; }

function describe(document: Artefact, slot: ArtefactSlot, route: Offer['route']): Offer {
  const digest = parseDigest(slot.digest);
  const { dataUpdatedAt = document.updatedAt } = document;
  if (digest === undefined && dataUpdatedAt === undefined) {
    throw new RegistryError(`the document of ${document._id} has neither a digest nor dataUpdatedAt`, { status: 200, code: 'bad_answer', artefactId: document._id });
  }
  return { key: digest ?? `at:${dataUpdatedAt}`, digest, sizeBytes: slot.size, version: slot.version ?? document.version, dataUpdatedAt, route };
}
