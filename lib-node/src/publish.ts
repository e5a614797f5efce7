// publishArtefact: one npm tarball or one file, streamed into the registry. The body is made in multipart.ts, sent in
// upload.ts.

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

/** Bytes read from a file in one piece. */
const READ_BYTES = 256 * 1024;

interface Source {
  fileName: string;
  sizeBytes: number | undefined;
  read: () => AsyncIterable<Uint8Array>;
}

/**
 * Uploads an npm tarball or a file and answers the artefact's new document. Memory use does not depend on the size. A
 * file given by its path is sent again after a transient failure, which is safe: equal bytes make an equal artefact. A
 * stream is sent once.
 *
 * @throws TypeError when an option is unknown, missing, wrong, or belongs to the other format
 * @throws RegistryError with the registry's own code: `key_scope`, `mirrored`, … /
 */
export async function publishArtefact(options: PublishArtefactOptions): Promise<Artefact> {
  checkOptions('publishArtefact', options, publishRules);
  const { format = 'npm', file, artefactId, architecture, fileName } = options;
  if (format === 'file' && architecture !== undefined)
    throw new TypeError('publishArtefact: architecture goes with the format npm only');
  if (format === 'npm' && fileName !== undefined)
    throw new TypeError('publishArtefact: fileName goes with the format file only');

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
  const answer = await upload({
    url: routeUrl(registry, ['artefacts', format, artefactId]),
    headers: {
      ...registry.credentials,
      'content-type': form.contentType,
      ...(form.contentLength !== undefined && { 'content-length': form.contentLength }),
    },
    body: form.wrap(measure(source, options.onProgress)),
    artefactId,
    signal,
  });
  if (answer.status >= 400) {
    throw refusalError({
      status: answer.status,
      contentType: answer.headers['content-type'],
      retryAfter: answer.headers['retry-after'],
      text: answer.text,
      artefactId,
    });
  }
  return parseArtefact(answer.status, answer.text, artefactId);
}

/**
 * Reports progress, and insists on the announced size: a file that changes meanwhile would leave the registry waiting.
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
  if (bytesDone !== (sizeBytes ?? bytesDone)) throw new Error('the file has changed while it was uploaded');
}

function parseArtefact(status: number, text: string, artefactId: string): Artefact {
  if (status >= 300) {
    throw new RegistryError(`the registry redirects uploads of ${artefactId} (${status}): give its final URL`, {
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
  throw new RegistryError('the answer to the upload is no artefact; is registryUrl the URL of a registry?', {
    status,
    code: 'bad_answer',
    artefactId,
  });
}
