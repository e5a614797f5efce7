// Brings bytes into a registry: in one request, or, where they are many, in one that can be continued.

import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { publishArtefact, type Artefact, type ArtefactFormat, type RegistryOptions } from '@berth/lib-node';
import type { Progress } from './progress.ts';

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
const READ_BYTES = 1024 * 1024;
/** Between attempts; each that brings bytes begins anew with the first. */
const RETRY_DELAYS_MS = [0, 1000, 3000, 10_000, 30_000];
/** URLs of uploads that were begun, the newest last; a registry forgets them after a day. */
const MAX_KEPT = 100;

/** Uploads a file; one that is large and was begun before is continued. @throws Error that says why the registry refuses it */
export async function send(sending: Sending): Promise<Artefact> {
  const { registry, artefactId, format, file, architecture, category, fileName, onProgress } = sending;
  const { size, mtimeMs } = await stat(file);
  if (size < RESUMABLE_BYTES) {
    return publishArtefact({
      ...registry, artefactId, format, file, category, ...(format === 'npm' ? { architecture } : { fileName }),
      onProgress: ({ phase, bytesDone, bytesTotal }) => { onProgress({ phase, done: 0, bytesDone, bytesTotal }); },
    });
  }
  const kept = keptUploads();
  const key = createHash('sha256').update(JSON.stringify([registry.registryUrl, artefactId, format, architecture, resolve(file), size, mtimeMs])).digest('hex');
  const url = await sendResumably(sending, size, { present: kept.find(key), keep: (it) => { kept.put(key, it); } });
  const document = await published(registry, url);
  kept.put(key, undefined);
  return document;
}

async function sendResumably({ registry, artefactId, format, file, architecture, category, fileName, onProgress }: Sending, size: number, urls: { present: string | undefined; keep: (url: string) => void }): Promise<string> {
  const { Upload } = await import('tus-js-client');
  const fields = { id: artefactId, format, architecture, category, fileName: format === 'file' ? fileName ?? file.split('/').at(-1) : undefined };
  return new Promise((done, failed) => {
    const upload = new Upload(file as never, {
      fileReader: { openFile: () => Promise.resolve(sourceOf(file, size)) },
      endpoint: `${registry.registryUrl}/api/v1/uploads`,
      ...(urls.present !== undefined && { uploadUrl: urls.present }),
      uploadSize: size,
      headers: registry.apiKey === undefined ? {} : { 'x-api-key': registry.apiKey },
      metadata: Object.fromEntries(Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)),
      retryDelays: RETRY_DELAYS_MS,
      onShouldRetry: ({ originalResponse }) => {
        const status = originalResponse?.getStatus() ?? 0;
        return status < 400 || status >= 500 || status === 423 || (originalResponse?.getBody().includes('upload_offset_conflict') ?? false);
      },
      onProgress: (bytesDone, bytesTotal) => { onProgress({ phase: 'upload', done: 0, bytesDone, bytesTotal }); },
      onUploadUrlAvailable: () => { if (upload.url !== null) urls.keep(upload.url); },
      onSuccess: () => { done(upload.url ?? ''); },
      onError: (error) => { failed(new Error('originalResponse' in error ? reasonIn(error.originalResponse?.getBody()) ?? firstLine(error.message) : firstLine(error.message), { cause: error })); },
    });
    registry.signal?.addEventListener('abort', () => { void upload.abort().then(() => { failed(new Error('interrupted: run it again, it goes on where it stopped')); }); }, { once: true });
    upload.start();
  });
}

/** Reads in larger pieces than the library does, which would spend most of its time on the number of them. */
function sourceOf(file: string, size: number) {
  return {
    size,
    slice(start: number, end: number) {
      const value = Object.assign(createReadStream(file, { start, end: end - 1, highWaterMark: READ_BYTES }), { size: Math.min(end, size) - start });
      return Promise.resolve({ value, done: end >= size });
    },
    close: () => undefined,
  };
}

async function published({ apiKey, signal }: RegistryOptions, url: string): Promise<Artefact> {
  const response = await fetch(url, { redirect: 'manual', headers: apiKey === undefined ? {} : { 'x-api-key': apiKey }, ...(signal && { signal }) });
  const { artefact } = await response.json() as { artefact?: Artefact };
  if (!artefact) throw new Error(`the upload has ended, but the registry shows no artefact (${response.status})`);
  return artefact;
}

/** What a problem document says, for people. */
function reasonIn(body: string | undefined): string | undefined {
  try {
    const { detail } = JSON.parse(body ?? '') as { detail?: unknown };
    return typeof detail === 'string' ? detail : undefined;
  } catch {
    return undefined;
  }
}

function firstLine(text: string): string { return text.split(/\n|, originated from/, 1)[0] ?? text; }

/** Kept in a file, so that a command that is run again goes on; what cannot be read is no loss. */
function keptUploads(): { find(key: string): string | undefined; put(key: string, url: string | undefined): void } {
  const path = join(process.env['XDG_CACHE_HOME'] || join(process.env['HOME'] || homedir(), '.cache'), 'berth', 'uploads.json');
  const read = (): Record<string, string> => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
    } catch {
      return {};
    }
  };
  return {
    find: (key) => read()[key],
    put(key, url) {
      const others = Object.entries(read()).filter(([other]) => other !== key).slice(1 - MAX_KEPT);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.new`, JSON.stringify(Object.fromEntries([...others, ...url === undefined ? [] : [[key, url]]])), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
  };
}
