// publishArtefact: streams one npm tarball or file to the registry. multipart.ts makes the body, upload.ts sends it.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { RegistryError } from './errors.ts';
import { createMultipart } from './multipart.ts';
import type { Progress, PublishArtefactOptions } from './options.ts';
import { refusalError } from './problem.ts';
import { createRegistry, routeUrl } from './registry.ts';
import type { Registry } from './registry.ts';
import { retrying } from './retry.ts';
import { checkOptions, publishRules } from './rules.ts';
import type { Artefact } from './types.ts';
import { upload } from './upload.ts';

/** Bytes per read from a file. */
const READ_BYTES = 256 * 1024;

interface Source {
  fileName: string;
  sizeBytes: number | undefined;
  read: () => AsyncIterable<Uint8Array>;
}

/**
 * Uploads an npm tarball or a file, and returns the artefact's new document. Memory use does not depend on the size.
 * A file given by its path is sent again after a transient failure, which is safe since uploads are idempotent. A
 * stream is sent once.
 *
 * @throws TypeError if an option is unknown, missing, invalid, or belongs to the other format
 * @throws RegistryError with the registry's own code: `key_scope`, `mirrored`, …
 */
export async function publishArtefact(options: PublishArtefactOptions): Promise<Artefact> {
  checkOptions('publishArtefact', options, publishRules);
  const { format = 'npm', file, artefactId, architecture, fileName } = options;
  if (format === 'file' && architecture !== undefined)
    throw new TypeError('publishArtefact: architecture requires the format npm');
  if (format === 'npm' && fileName !== undefined)
    throw new TypeError('publishArtefact: fileName requires the format file');

  const registry = createRegistry(options);
  if (typeof file !== 'string')
    return await post(registry, options, { fileName: fileName ?? artefactId, sizeBytes: undefined, read: () => file });
  return await retrying(registry.retries, options.signal, async () => {
    const { size } = await stat(file);
    return await post(registry, options, {
      fileName: fileName ?? basename(file),
      sizeBytes: size,
      read: () => createReadStream(file, { highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>,
    });
  });
}

async function post(registry: Registry, options: PublishArtefactOptions, source: Source): Promise<Artefact> {
  const { format = 'npm', artefactId, architecture, category, title, description, fileName, signal } = options;
  const form = createMultipart({
    fields: {
      architecture,
      category,
      title: title && JSON.stringify(title),
      description: description && JSON.stringify(description),
      fileName,
    },
    fileName: source.fileName,
    sizeBytes: source.sizeBytes,
  });
  const url = routeUrl(registry, ['artefacts', format, artefactId]);
  const response = await upload({
    url,
    headers: {
      ...registry.credentials,
      'content-type': form.contentType,
      ...(form.contentLength !== undefined && { 'content-length': form.contentLength }),
    },
    body: form.wrap(measure(source, options.onProgress)),
    artefactId,
    signal,
  });
  if (response.status >= 400) {
    throw refusalError({
      url,
      status: response.status,
      contentType: response.headers['content-type'],
      retryAfter: response.headers['retry-after'],
      text: response.text,
      artefactId,
    });
  }
  return parseArtefact(response.status, response.text, artefactId);
}

/**
 * Reports progress, and fails if the size differs from the announced one: a file that shrinks during the upload would
 * leave the registry waiting.
 */
async function* measure(
  { read, sizeBytes }: Source,
  onProgress: ((progress: Progress) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  let bytesDone = 0;
  for await (const chunk of read()) {
    bytesDone += chunk.length;
    if (bytesDone > (sizeBytes ?? Infinity)) break;
    yield chunk;
    onProgress?.({ phase: 'upload', bytesDone, bytesTotal: sizeBytes });
  }
  if (bytesDone !== (sizeBytes ?? bytesDone)) throw new Error('the file changed during the upload');
}

function parseArtefact(status: number, text: string, artefactId: string): Artefact {
  if (status >= 300) {
    throw new RegistryError(`uploads of ${artefactId} are redirected (${status}): set registryUrl to the final URL`, {
      status,
      code: 'redirect_refused',
      artefactId,
    });
  }
  try {
    const artefact = (JSON.parse(text) as { artefact?: Artefact } | null)?.artefact;
    if (typeof artefact?._id === 'string') return artefact;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new RegistryError('the response to the upload is not an artefact; is registryUrl the URL of a registry?', {
    status,
    code: 'bad_answer',
    artefactId,
  });
}
