// Uploads a file to a registry: a small one in one request, a large one over the resumable protocol.

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Artefact, ArtefactFormat, RegistryOptions } from '@berth-registry/lib-node';
import type { Progress } from './progress.ts';
import { sendResumably } from './resumable.ts';
import { openUploadUrls } from './upload-urls.ts';

export interface SendOptions {
  registry: RegistryOptions;
  artefactId: string;
  format: ArtefactFormat;
  file: string;
  architecture?: string | undefined;
  category?: string | undefined;
  fileName?: string | undefined;
  onProgress: (progress: Progress) => void;
}

/** From this size on, starting over after a lost connection costs more than the resumable protocol. */
const RESUMABLE_BYTES = 64 * 1024 * 1024;

/**
 * Uploads a file. A large one resumes an earlier upload of the same, unchanged file.
 * @throws Error with the reason if the registry refuses it
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
}: SendOptions): Promise<Artefact> {
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
  const uploadUrls = openUploadUrls();
  const key = createHash('sha256')
    .update(JSON.stringify([registry.registryUrl, artefactId, format, architecture, resolve(file), size, mtimeMs]))
    .digest('hex');
  const artefact = await sendResumably({
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
    url: uploadUrls.get(key),
    onUrl: (it) => {
      uploadUrls.set(key, it);
    },
    onProgress: (bytesDone) => {
      onProgress({ phase: 'upload', done: 0, bytesDone, bytesTotal: size });
    },
  });
  uploadUrls.set(key, undefined);
  return artefact;
}
