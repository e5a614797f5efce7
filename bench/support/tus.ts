// Client for resumable uploads that can be disconnected at any byte.

import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { INTERNAL } from './berth-process.ts';
import { MIB } from './memory.ts';
import type { ServerProcess } from './processes.ts';

export const TUS = { ...INTERNAL, 'tus-resumable': '1.0.0' };
export const BYTES = { ...TUS, 'content-type': 'application/offset+octet-stream' };

/** Creates an upload of a file and returns the path of its URL. */
export async function createUpload(
  { url }: Pick<ServerProcess, 'url'>,
  id: string,
  sizeBytes: number,
): Promise<string> {
  const encode = (text: string) => Buffer.from(text).toString('base64');
  const response = await fetch(`${url}/api/v1/uploads`, {
    method: 'POST',
    headers: {
      ...TUS,
      'upload-length': String(sizeBytes),
      'upload-metadata': `id ${encode(id)},format ${encode('file')}`,
    },
  });
  if (response.status !== 201)
    throw new Error(`creating an upload got status ${response.status}: ${await response.text()}`);
  return new URL(response.headers.get('location') ?? '', `${url}/api/v1/uploads`).pathname;
}

/** Requests the offset of an upload, again while the server is still storing received bytes (423). */
export async function offsetOf(url: string): Promise<number> {
  for (;;) {
    const response = await fetch(url, { method: 'HEAD', headers: TUS });
    if (response.status === 200) return Number(response.headers.get('upload-offset'));
    if (response.status !== 423) throw new Error(`requesting the offset got status ${response.status}`);
    await wait(100);
  }
}

/**
 * Sends bytes from an offset, and disconnects after `cutAfterBytes`.
 *
 * @param read returns the bytes from `start` to `end`, at most 1 MiB
 * @returns the status of the response; undefined if it disconnected
 */
export async function sendBytes(
  url: string,
  {
    offset,
    sizeBytes,
    cutAfterBytes,
    read,
  }: { offset: number; sizeBytes: number; cutAfterBytes: number; read: (start: number, end: number) => Uint8Array },
): Promise<number | undefined> {
  const patch = request(url, {
    method: 'PATCH',
    headers: { ...BYTES, 'upload-offset': offset, 'content-length': sizeBytes - offset },
  });
  patch.on('error', () => undefined);
  const end = Math.min(sizeBytes, offset + cutAfterBytes);
  for (let start = offset; start < end; start += MIB) await write(patch, read(start, Math.min(start + MIB, end)));
  if (end < sizeBytes) return void patch.destroy();
  const responded = once(patch, 'response') as Promise<[IncomingMessage]>;
  patch.end();
  const [response] = await responded;
  response.resume();
  return response.statusCode;
}

/** Resolves once the bytes were passed to the kernel. */
function write(patch: ClientRequest, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    patch.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
