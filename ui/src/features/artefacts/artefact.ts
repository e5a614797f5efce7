import { pathTo } from '../../api/client.ts';
import type { Artefact, Slot } from '../../api/types.ts';

/** Path of an artefact's page; the ID is one segment. */
export function artefactPage(id: string): string {
  return `/artefacts/${encodeURIComponent(id)}`;
}

/** A slot as listed on the page; a file artefact has one without an architecture. */
export type ListedSlot = Pick<Slot, 'size' | 'digest' | 'uploadedBy'> & {
  architecture?: string;
  version?: string;
  uploadedAt: string;
  hasNativeModules?: boolean;
  hasInstallScripts?: boolean;
  warnings?: Slot['warnings'];
};

/** The downloadable slots of an artefact, sorted by architecture. */
export function slotsOf(artefact: Artefact): ListedSlot[] {
  if (artefact.format === 'file')
    return artefact.digest
      ? [
          {
            size: artefact.size,
            digest: artefact.digest,
            uploadedAt: artefact.dataUpdatedAt,
            uploadedBy: artefact.uploadedBy,
          },
        ]
      : [];
  return Object.entries(artefact.tarballs ?? {})
    .map(([architecture, slot]) => ({ architecture, ...slot }))
    .sort((a, b) => (a.architecture < b.architecture ? -1 : 1));
}

export function downloadUrl(artefact: Artefact, { architecture }: Pick<ListedSlot, 'architecture'>): string {
  const path = `${pathTo('api/v1/artefacts', artefact._id)}/download`;
  return architecture === undefined ? path : `${path}?architecture=${architecture}`;
}
