// Chooses what to download from an artefact's document: as on the server, the architecture's slot, else noarch.

import { parseDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { Artefact, ArtefactSlot } from './types.ts';

const NOARCH = 'noarch';

/** A download that a document offers. */
export interface Offer {
  /** Identifies the bytes: their digest, or `at:<dataUpdatedAt>` if the registry provides none. */
  key: string;
  digest: string | undefined;
  sizeBytes: number | undefined;
  version: string | undefined;
  dataUpdatedAt: string | undefined;
  /** Route below the artefact; registries without slots have `/download` only. */
  route: 'tarball' | 'download';
  /** Slot to request there. */
  architecture?: string;
  /** False if the registry found no native code. */
  mayBeNative: boolean;
}

/**
 * Chooses the slot of `architecture`, else `noarch`; `''` selects `noarch` only.
 *
 * @throws RegistryError `wrong_format` (400) for a file artefact, `slot_not_found` (404) if no slot fits
 */
export function chooseTarball(document: Artefact, architecture: string): Offer {
  if (document.format === 'file')
    throw refusal(document, 400, 'wrong_format', 'is a file, not an npm package: use ensureArtefactFile');
  const slots = document.tarballs;
  if (slots === undefined && typeof document.path === 'string')
    return describe(document, document, { route: 'download' });
  const slot = [architecture, NOARCH]
    .filter((name) => slots !== undefined && Object.hasOwn(slots, name))
    .map((name) => slots?.[name])[0];
  if (slot === undefined) {
    const slotNames = architecture === '' ? NOARCH : `${architecture} or ${NOARCH}`;
    throw refusal(document, 404, 'slot_not_found', `has no tarball for ${slotNames}`);
  }
  return describe(document, slot, { route: 'tarball', architecture: architecture === '' ? NOARCH : architecture });
}

function refusal({ _id }: Artefact, status: number, code: string, reason: string): RegistryError {
  return new RegistryError(`${_id} ${reason}`, { status, code, artefactId: _id });
}

function describe(document: Artefact, slot: ArtefactSlot, location: Pick<Offer, 'route' | 'architecture'>): Offer {
  const digest = parseDigest(slot.digest);
  const { dataUpdatedAt = document.updatedAt } = document;
  if (digest === undefined && dataUpdatedAt === undefined) {
    throw new RegistryError(`the document of ${document._id} has neither a digest nor dataUpdatedAt`, {
      status: 200,
      code: 'bad_answer',
      artefactId: document._id,
    });
  }
  return {
    key: digest ?? `at:${dataUpdatedAt}`,
    digest,
    sizeBytes: slot.size,
    version: slot.version ?? document.version,
    dataUpdatedAt,
    mayBeNative: slot.hasNativeModules !== false,
    ...location,
  };
}
