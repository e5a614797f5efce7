interface DamagedBlob {
  digest: string;
  /** What is wrong: `missing`, `size`, … */
  reason: string;
  /** Artefacts that use it; the architecture of a file artefact is empty. */
  artefacts: readonly { id: string; architecture: string }[];
}

/** Formats a line for each blob: what is wrong, its digest, and the artefacts that use it. */
export function formatDamagedBlobs(blobs: readonly DamagedBlob[]): string {
  return blobs
    .map(({ digest, reason, artefacts }) => {
      const names = artefacts.map(({ id, architecture }) => (architecture ? `${id} (${architecture})` : id));
      return `  ${reason}  ${digest}  ${names.join(', ')}`;
    })
    .join('\n');
}
