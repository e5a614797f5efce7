// Worker-thread side of reading other registries: requests, parses and validates their lists and documents. Only this
// thread ends if one of them exhausts its memory.

import { open } from 'node:fs/promises';
import { createOutbound, type Outbound, type OutboundOptions } from '../outbound/index.ts';
import { matches } from '../patterns/index.ts';
import { checkStatus } from './bytes.ts';
import { createUpstreamClient, readBody, type UpstreamAccess } from './client.ts';
import { readUpstreamArtefact, type DocumentRules, type UpstreamArtefact } from './documents.ts';
import { RemoteAnswerInvalidError } from './errors.ts';
import { splitJsonList } from './json-list.ts';
import { MAX_LISTED_ARTEFACTS, toListed, type ListedArtefact, type TextForm, type UpstreamPage } from './listed.ts';

/** Functions of the worker thread. @param call number chosen by the caller, unique among calls in flight */
export interface ReadApi {
  readPage(call: number, access: UpstreamAccess, request: PageRequest): Promise<UpstreamPage>;
  /** Returns an UpstreamArtefact as JSON; undefined for 404. */
  readArtefact(call: number, access: UpstreamAccess, id: string): Promise<string | undefined>;
  readThumbnail(call: number, access: UpstreamAccess, thumbnailId: string): Promise<Thumbnail | undefined>;
  /** Reads a list from a part of a file. @param key name of the array */
  readFileList(part: FilePart, key: string): Promise<FileList>;
  /** Returns an UpstreamArtefact as JSON. */
  readFileArtefact(part: FilePart): Promise<string>;
  abortRead(call: number): void;
}

export interface FilePart {
  path: string;
  offset: number;
  sizeBytes: number;
}

export interface FileList {
  /** The object without the array, as JSON; at most 64 KiB. */
  envelope: string;
  /** Each with the part of the file that `readFileArtefact` reads. */
  artefacts: { listed: ListedArtefact; part: FilePart }[];
  unusable: UpstreamPage['unusable'];
}

/** `workerData` of the worker thread. */
export interface ReadSettings extends DocumentRules {
  outbound: OutboundOptions;
}

export interface PageRequest {
  query: Record<string, string>;
  /** Patterns for `ListedArtefact.isMatch`. */
  patterns?: readonly string[];
  /** Default: no texts. */
  form?: TextForm | undefined;
}

export interface Thumbnail {
  bytes: Uint8Array;
  contentType: string;
}

/**
 * More than a document of a Berth can have: descriptions of 20,000 characters in two languages are 160 KB, 480 KB from
 * a registry that escapes them; two schemas are 128 KiB.
 */
export const MAX_DOCUMENT_BYTES = 1024 * 1024;
export const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** More than a Berth puts on a page. */
export const MAX_PAGE_ENTRIES = 1000;
const MAX_THUMBNAIL_BYTES = 5 * 1024 * 1024;
const MAX_ID_LENGTH = 256;

/** Creates the functions of the worker thread. */
export function createReadApi({ outbound: options, categories }: ReadSettings): ReadApi {
  const aborts = new Map<number, AbortController>();
  const turns = new Map<string, Promise<unknown>>();
  const outbound = createOutbound(options);
  const rules = { categories };
  const openUpstream = (access: UpstreamAccess) => createUpstreamReader(access, { outbound, rules });

  /** A page takes a large part of this thread's memory: those of a registry are read one after the other. */
  async function inTurn<T>(url: string, work: () => Promise<T>): Promise<T> {
    const turn = (turns.get(url) ?? Promise.resolve()).then(work, work);
    turns.set(url, turn);
    try {
      return await turn;
    } finally {
      if (turns.get(url) === turn) turns.delete(url);
    }
  }

  async function abortable<T>(call: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    aborts.set(call, abort);
    try {
      return await work(abort.signal);
    } finally {
      aborts.delete(call);
    }
  }

  return {
    readPage: (call, access, request) =>
      abortable(call, (signal) => inTurn(access.url, () => openUpstream(access).page(request, signal))),
    readArtefact: (call, access, id) =>
      abortable(call, async (signal) => {
        const artefact = await openUpstream(access).artefact(id, signal);
        return artefact && JSON.stringify(artefact);
      }),
    readThumbnail: (call, access, id) => abortable(call, (signal) => openUpstream(access).thumbnail(id, signal)),
    async readFileList(part, key) {
      const bytes = await readPart(part);
      const { envelope, entries } = splitJsonList(bytes, key, MAX_LISTED_ARTEFACTS);
      const list: FileList = { envelope: JSON.stringify(envelope), artefacts: [], unusable: [] };
      for (const entry of entries) {
        const { artefacts, unusable } = readEntries([entry], { rules });
        const offset = part.offset + entry.byteOffset - bytes.byteOffset;
        for (const listed of artefacts)
          list.artefacts.push({ listed, part: { ...part, offset, sizeBytes: entry.length } });
        list.unusable.push(...unusable);
      }
      return list;
    },
    async readFileArtefact(part) {
      return JSON.stringify(readUpstreamArtefact(parseDocument(await readPart(part)), rules));
    },
    abortRead(call) {
      aborts.get(call)?.abort();
    },
  };
}

async function readPart({ path, offset, sizeBytes }: FilePart): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(sizeBytes), { position: offset });
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close().catch(() => undefined);
  }
}

/** Creates the client of one registry. All methods throw remote_unavailable, remote_refused, remote_answer_invalid. */
function createUpstreamReader(
  access: UpstreamAccess,
  { outbound, rules }: { outbound: Pick<Outbound, 'get'>; rules: DocumentRules },
) {
  const { get, route } = createUpstreamClient(access, outbound);

  /** @returns undefined for 404 */
  async function json(target: string, maxBytes: number, signal: AbortSignal): Promise<Buffer | undefined> {
    const response = await checkStatus(await get(target, { headers: { accept: 'application/json' }, signal }));
    return response && readBody(response, maxBytes);
  }

  return {
    /** Reads one page of its list. */
    async page({ query, patterns = [], form }: PageRequest, signal: AbortSignal): Promise<UpstreamPage> {
      signal.throwIfAborted();
      const target = `${route('artefacts')}?${new URLSearchParams(query).toString()}`;
      const bytes = (await json(target, MAX_PAGE_BYTES, signal)) ?? Buffer.of();
      try {
        const { envelope, entries } = splitJsonList(bytes, 'results', MAX_PAGE_ENTRIES);
        const { count } = envelope;
        if (typeof count !== 'number' || !(count >= 0))
          throw new RemoteAnswerInvalidError('The list of the remote registry has no count of all artefacts.');
        return {
          count: Math.min(count, Number.MAX_SAFE_INTEGER),
          ...readEntries(entries, { patterns, form, rules }),
        };
      } finally {
        // At once, not when the garbage collector runs: the next page may be as large.
        if (bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
      }
    },

    /** Undefined if it does not exist or is not visible. */
    async artefact(id: string, signal: AbortSignal): Promise<UpstreamArtefact | undefined> {
      const bytes = await json(route('artefacts', id), MAX_DOCUMENT_BYTES, signal);
      return bytes && readUpstreamArtefact(parseDocument(bytes), rules);
    },

    async thumbnail(thumbnailId: string, signal: AbortSignal): Promise<Thumbnail | undefined> {
      const response = await checkStatus(await get(route('thumbnails', thumbnailId, 'data'), { signal }));
      return (
        response && {
          bytes: await readBody(response, MAX_THUMBNAIL_BYTES),
          contentType: response.headers['content-type'] ?? '',
        }
      );
    },
  };
}

/** Parses and validates the entries of a list, each on its own. */
function readEntries(
  entries: readonly Buffer[],
  { patterns = [], form, rules }: { patterns?: readonly string[]; form?: TextForm | undefined; rules: DocumentRules },
): Omit<UpstreamPage, 'count'> {
  const page: Omit<UpstreamPage, 'count'> = { entries: entries.length, artefacts: [], unusable: [] };
  for (const entry of entries) {
    let document: unknown;
    try {
      document = parseDocument(entry);
      const artefact = readUpstreamArtefact(document, rules);
      page.artefacts.push(
        toListed(
          artefact,
          patterns.some((pattern) => matches(pattern, artefact)),
          form,
        ),
      );
    } catch (error) {
      if (!(error instanceof RemoteAnswerInvalidError)) throw error;
      page.unusable.push({ id: idIn(document), reason: error.message });
    }
  }
  return page;
}

/** @throws remote_answer_invalid */
function parseDocument(bytes: Buffer): unknown {
  if (bytes.length > MAX_DOCUMENT_BYTES)
    throw new RemoteAnswerInvalidError(
      `The remote registry returned a document of more than ${MAX_DOCUMENT_BYTES} bytes.`,
    );
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new RemoteAnswerInvalidError(
      'The response of the remote registry is not JSON: check that its URL is the base URL of a registry.',
      { cause },
    );
  }
}

function idIn(document: unknown): string {
  const id = (document as { _id?: unknown } | null | undefined)?._id;
  return typeof id === 'string' && id.length <= MAX_ID_LENGTH ? id : '';
}
