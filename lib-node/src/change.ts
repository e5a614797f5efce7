// Sends the write requests other than uploads of content: JSON and thumbnails.

import { basename } from 'node:path';
import { readFile } from 'node:fs/promises';
import { createMultipart } from './multipart.ts';
import { refusalError } from './problem.ts';
import { routeUrl } from './registry.ts';
import type { Registry } from './registry.ts';
import { retrying } from './retry.ts';
import { upload } from './upload.ts';
import type { Upload } from './upload.ts';

/** Sends JSON to a route below `/api/v1`. @throws RegistryError */
export async function sendJson(
  registry: Registry,
  method: 'POST' | 'PATCH',
  parts: string[],
  body: object,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  await sendChange(registry, {
    method,
    url: routeUrl(registry, parts),
    headers: { 'content-type': 'application/json', 'content-length': bytes.length },
    body: () => asStream(bytes),
    artefactId: parts[1] ?? '',
    signal,
  });
}

/** Sends the image at `path` as the thumbnail of an artefact. @throws RegistryError */
export async function sendThumbnail(
  registry: Registry,
  artefactId: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const bytes = await readFile(path);
  const form = createMultipart({ fields: {}, fileName: basename(path), sizeBytes: bytes.length });
  await sendChange(registry, {
    url: routeUrl(registry, ['artefacts', artefactId, 'thumbnail']),
    headers: {
      'content-type': form.contentType,
      ...(form.contentLength !== undefined && { 'content-length': form.contentLength }),
    },
    body: () => form.wrap(asStream(bytes)),
    artefactId,
    signal,
  });
}

/** Sends a request, with retries; `body` makes a new stream for each attempt. */
async function sendChange(
  registry: Registry,
  { body, headers, ...request }: Omit<Upload, 'body'> & { body: () => AsyncIterable<Uint8Array> },
): Promise<void> {
  await retrying(registry.retries, request.signal, async () => {
    const response = await upload({ ...request, headers: { ...registry.credentials, ...headers }, body: body() });
    if (response.status >= 300)
      throw refusalError({
        url: request.url,
        status: response.status,
        contentType: response.headers['content-type'],
        retryAfter: response.headers['retry-after'],
        text: response.text,
        artefactId: request.artefactId,
      });
  });
}

async function* asStream(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
