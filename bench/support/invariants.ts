// Invariants of an instance, checked through its API and directly in its storage.

import { createHash } from 'node:crypto';
import { artefactUrl, INTERNAL } from './berth-process.ts';
import type { ServerProcess } from './processes.ts';
import type { Site } from './sites.ts';

interface Listed {
  _id: string;
  tarballs: Record<string, { digest: string; size: number }>;
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/**
 * Reads every visible slot. Returns their digests by `'<id> <architecture>'`, and describes those whose bytes do not
 * match.
 */
export async function readSlots(berth: ServerProcess): Promise<{ held: Map<string, string>; broken: string[] }> {
  const { results } = (await (await fetch(`${artefactUrl(berth)}?size=1000`, { headers: INTERNAL })).json()) as {
    results: Listed[];
  };
  const held = new Map<string, string>();
  const broken: string[] = [];
  for (const { _id: id, tarballs } of results) {
    for (const [architecture, slot] of Object.entries(tarballs)) {
      held.set(`${id} ${architecture}`, slot.digest);
      const response = await fetch(`${artefactUrl(berth, id, 'tarball')}?architecture=${architecture}`, {
        headers: INTERNAL,
      });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status !== 200 || bytes.length !== slot.size || digestOf(bytes) !== slot.digest) {
        broken.push(
          `${id} ${architecture} does not resolve to bytes of its digest ` +
            `(status ${response.status}, ${bytes.length} of ${slot.size} bytes)`,
        );
      }
    }
  }
  return { held, broken };
}

/** Describes blob rows without their bytes; ignores rows that a sweep removes during the check. */
export async function findRowsWithoutBytes(site: Site): Promise<string[]> {
  const listRows = () =>
    site.query<{ digest: string; storage_key: string; size: number | string }>(
      'select digest, storage_key, size from blobs',
    );
  const sizes = new Map(
    await Promise.all(
      (await listRows()).map(async (row) => [row.storage_key, await site.sizeOf(row.storage_key)] as const),
    ),
  );
  return (await listRows()).flatMap(({ digest, storage_key: key, size }) => {
    const sizeBytes = sizes.get(key);
    return sizeBytes === undefined || sizeBytes === Number(size)
      ? []
      : [`blob ${digest} has ${sizeBytes} of ${size} bytes`];
  });
}
