// Brings bytes into a registry: in one request, or, where they are many, in one that can be continued.

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Artefact, ArtefactFormat, RegistryOptions } from '@berth-registry/lib-node';
import { keptUploads } from './kept-uploads.ts';
import type { Progress } from './progress.ts';
import { sendResumably } from './resumable.ts';

export interface Sending {
  registry: RegistryOptions;
  artefactId: string;
  format: ArtefactFormat;
  file: string;
  architecture?: string | undefined;
  category?: string | undefined;
  fileName?: string | undefined;
  onProgress: (progress: Progress) => void;
}

/** From here on, to begin anew after a cut costs more than to remember. */
const RESUMABLE_BYTES = 64 * 1024 * 1024;

/**
 * Uploads a file; one that is large and was begun before is continued.
 * @throws Error that says why the registry refuses it
 */
export async function send({
  registry,
  artefactId,
  format,
  file,
  architecture,
  category,
  fileName,
  onProgress,
}: Sending): Promise<Artefact> {
  const { size, mtimeMs } = await stat(file);
  if (size < RESUMABLE_BYTES) {
    const { publishArtefact } = await import('@berth-registry/lib-node');
    return publishArtefact({
      ...registry,
      artefactId,
      format,
      file,
      category,
      ...(format === 'npm' ? { architecture } : { fileName }),
      onProgress: ({ phase, bytesDone, bytesTotal }) => {
        onProgress({ phase, done: 0, bytesDone, bytesTotal });
      },
    });
  }
  const kept = keptUploads();
  const key = createHash('sha256')
    .update(JSON.stringify([registry.registryUrl, artefactId, format, architecture, resolve(file), size, mtimeMs]))
    .digest('hex');
  const document = await sendResumably({
    ...registry,
    file,
    size,
    metadata: {
      id: artefactId,
      format,
      architecture,
      category,
      fileName: format === 'file' ? (fileName ?? file.split('/').at(-1)) : undefined,
    },
    url: kept.find(key),
    onUrl: (it) => {
      kept.put(key, it);
    },
    onProgress: (bytesDone) => {
      onProgress({ phase: 'upload', done: 0, bytesDone, bytesTotal: size });
    },
  });
  kept.put(key, undefined);
  return document;
}
