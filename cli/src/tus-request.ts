// One request of the tus protocol, by node:http: a part of a file goes out from one buffer that is filled again and again.

import { closeSync, openSync, readSync } from 'node:fs';
import type { ClientRequest, IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';

export interface TusRequest {
  method: 'POST' | 'HEAD' | 'PATCH' | 'GET';
  url: URL;
  headers: Record<string, string | number>;
  /** What the body is: the bytes of a file from `start` to its `size`. Default none. */
  part?: FilePart;
  signal?: AbortSignal | undefined;
}

export interface FilePart {
  file: string;
  start: number;
  /** Bytes of the file as it was when the upload was announced. */
  size: number;
  /** Hears how far the sending has come, in bytes from the start of the file. */
  onProgress: (bytesDone: number) => void;
}

export interface TusAnswer { status: number; headers: IncomingHttpHeaders; body: string }

/** The connection has failed before there was an answer. */
export class CutError extends Error { override readonly name = 'CutError'; }

const PIECE_BYTES = 1024 * 1024;
/** A registry may take its time to store what it was sent before it answers. */
const SILENCE_MS = 300_000;

/**
 * Sends one request and reads the answer, whatever its status is; an answer that comes early ends the sending.
 * @throws CutError
 * @throws Error when the file cannot be read, or is shorter than it was
 */
export async function askTus({ method, url, headers, part, signal }: TusRequest): Promise<TusAnswer> {
  // Not imported: to name what is taken from node:http loads all of it, fetch and WebSocket as well, which takes as long as Node's own start.
  const { request: open } = url.protocol === 'https:' ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  const request = open(url, {
    method, ...(signal && { signal }),
    headers: { 'tus-resumable': '1.0.0', ...headers, ...(part && { 'content-type': 'application/offset+octet-stream', 'content-length': part.size - part.start }) },
  });
  request.setTimeout(SILENCE_MS, () => { request.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`)); });
  const answered = receive(request);
  // Where the file fails first, nobody waits for the end of the request.
  answered.catch(() => undefined);
  try {
    if (part) await Promise.race([answered, sendPart(request, part)]);
    else request.end();
    return await answered;
  } finally {
    // Of an answer that has come whole, this gives the connection back.
    if (!request.writableEnded) request.destroy();
  }
}

async function receive(request: ClientRequest): Promise<TusAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => { reject(new CutError(`the connection to ${request.host} failed: ${cause.message || String(cause)}`, { cause })); };
    request.on('error', fail).on('response', (response) => {
      text(response).then((body) => { resolve({ status: response.statusCode ?? 0, headers: response.headers, body }); }, fail);
    });
  });
}

async function sendPart(request: ClientRequest, { file, start, size, onProgress }: FilePart): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, size - start));
  const descriptor = openSync(file, 'r');
  try {
    for (let at = start; at < size;) {
      // At once: the detour through another thread takes longer than most reads do, and this process waits for nothing else.
      const bytesRead = readSync(descriptor, buffer, 0, Math.min(buffer.length, size - at), at);
      if (bytesRead === 0) throw new Error('the file has changed while it was uploaded');
      const isTaken = await put(request, buffer.subarray(0, bytesRead));
      // Why it was not is for the answer to say.
      if (!isTaken) return;
      at += bytesRead;
      onProgress(at);
    }
  } finally {
    closeSync(descriptor);
  }
  request.end();
}

/** Resolves when the bytes may be written over. */
async function put(request: ClientRequest, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => { request.write(bytes, (error) => { resolve(!error); }); });
}
