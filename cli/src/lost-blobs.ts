// Bytes that are not there, and whose they are.

/** A blob whose bytes are not what they should be; the architecture of file artefacts is empty. */
interface Unsound {
  digest: string;
  reason: string;
  artefacts: readonly { id: string; architecture: string }[];
}

/** Shows a line for each: what is wrong, its digest, and the artefacts that it belongs to. */
export function listUnsound(blobs: readonly Unsound[]): string {
  return blobs
    .map(
      ({ digest, reason, artefacts }) =>
        `  ${reason}  ${digest} ` +
        ` ${artefacts.map(({ id, architecture }) => (architecture ? `${id} (${architecture})` : id)).join(', ')}`,
    )
    .join('\n');
}
