// Downloads: chooses the slot, authorises the caller, sets the headers, and decides whether Berth, nginx or the
// storage sends the bytes. http/conditional.ts evaluates conditions and ranges.

import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../access/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { toReprDigest } from '../digests/index.ts';
import { answerTo, contentDisposition, httpDate, RangeNotSatisfiableError, type ByteSource } from '../http/index.ts';
import type { Slot } from './artefact.ts';
import { authorizeRead } from './authorize-read.ts';
import { createAccelRedirect, type AccelRedirectOptions } from './x-accel-redirect.ts';
import { chooseSlot } from './operations.ts';
import { artefactRepository, type DownloadFacts } from './repository.ts';
import type { TransferCounts } from './transfer-counts.ts';

export interface DownloadRequest {
  id: string;
  /** `tarball` never falls back to a slot of another architecture, `download` does. */
  kind: 'tarball' | 'download';
  architecture: string | undefined;
  method: string;
  headers: IncomingHttpHeaders;
  /** False: this server sends the bytes, never the storage by a redirect. Default true. */
  redirect?: boolean;
  /** Whether the request came through a trusted proxy. */
  isProxied: boolean;
}

export interface Download {
  status: 200 | 206 | 302 | 304;
  headers: Record<string, string>;
  /** Undefined for HEAD, 302 and 304. */
  body?: ByteSource;
}

export interface DownloadOptions extends AccelRedirectOptions {
  database: Database;
  blobs: Blobs;
  counts: Pick<TransferCounts, 'countDownload'>;
}

export function createDownload({ database, blobs, counts, accelRedirectPrefix }: DownloadOptions) {
  const artefacts = artefactRepository(database.db);
  const accelRedirect = createAccelRedirect({ blobs, accelRedirectPrefix });

  /**
   * @throws artefact_not_found, unauthenticated, no_access_grant, slot_not_found, not_a_tarball,
   *   range_not_satisfiable, blob_missing
   */
  return async function download(caller: Caller, request: DownloadRequest): Promise<Download> {
    const facts = await authorizeRead(
      artefacts,
      caller,
      request.id,
      'downloadArtefact',
      await artefacts.findDownloadFacts(request.id),
    );

    const slot = chooseSlot(facts, request);
    const representation = {
      etag: `"${slot.digest}"`,
      lastModifiedSeconds: facts.lastModifiedSeconds,
      sizeBytes: slot.sizeBytes,
    };
    const answer = answerTo(request.method, request.headers, representation);
    const headers = commonHeaders(facts, slot, representation.etag);
    if (answer.status === 304) return { status: 304, headers };
    if (answer.status === 416) {
      throw new RangeNotSatisfiableError(`The range lies outside the ${slot.sizeBytes} bytes of this artefact.`, {
        headers: { 'content-range': `bytes */${slot.sizeBytes}` },
      });
    }
    const range = answer.status === 206 ? answer.range : undefined;
    const sentBytes = range ? range.end - range.start + 1 : slot.sizeBytes;
    // A download that is resumed, or read in several ranges, counts once.
    const count = () => {
      if (!range || range.start === 0) counts.countDownload(request.id, sentBytes);
    };

    const location = mayRedirect(facts, request)
      ? await blobs.link(slot.digest, {
          contentDisposition: headers['content-disposition'],
          contentType: headers['content-type'],
        })
      : undefined;
    if (location !== undefined) {
      count();
      // The storage has its own ETags and dates. Ours tell the client what it will fetch, and whether a resumed
      // download still matches.
      return {
        status: 302,
        headers: {
          location,
          'etag': headers.etag,
          'last-modified': headers['last-modified'],
          'repr-digest': headers['repr-digest'],
          'cache-control': 'no-store',
        },
      };
    }
    Object.assign(headers, {
      'content-length': String(sentBytes),
      ...(range && { 'content-range': `bytes ${range.start}-${range.end}/${slot.sizeBytes}` }),
    });
    if (request.method === 'HEAD') return { status: answer.status, headers };
    count();
    const redirected = await accelRedirect(request, slot.digest, { status: answer.status, headers });
    return redirected ?? { status: answer.status, headers, body: (write) => blobs.send(slot.digest, range, write) };
  };
}

/**
 * Checks whether the storage may send the bytes. It cannot send the headers of tarballs, which clients and HEAD
 * requests need, and it does not know our dates and ETags, so it would evaluate these conditions wrongly.
 */
function mayRedirect({ format }: DownloadFacts, { method, headers, redirect = true }: DownloadRequest): boolean {
  return (
    redirect &&
    format === 'file' &&
    method === 'GET' &&
    headers['if-modified-since'] === undefined &&
    headers['if-range'] === undefined
  );
}

function commonHeaders(facts: DownloadFacts, slot: Slot, etag: string) {
  return {
    'etag': etag,
    'last-modified': httpDate(facts.lastModifiedSeconds),
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'content-type': facts.format === 'npm' ? 'application/gzip' : 'application/octet-stream',
    'content-disposition': contentDisposition('attachment', fileNameOf(slot)),
    'repr-digest': toReprDigest(slot.digest),
    ...(facts.format === 'npm' && {
      'x-artefact-architecture': slot.architecture,
      'x-artefact-version': headerValueOf(slot.version),
      'x-artefact-has-native-modules': String(slot.hasNativeModules),
    }),
  };
}

/** Leaves out a version that no header can carry: older releases stored those of mirrors unchecked. */
function headerValueOf(version = ''): string {
  return /^[\x21-\x7e]*$/.test(version) ? version : '';
}

function fileNameOf(slot: Slot): string {
  return (slot.fileName ?? slot.path.replace(/^npm\//, '').replace(/-[0-9a-f]+\.tgz$/, '.tgz')).replaceAll('/', '-');
}
