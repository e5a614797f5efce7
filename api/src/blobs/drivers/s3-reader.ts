// Reads objects. A connection that breaks or falls silent underway is replaced by one that goes on where it stopped.

import { Readable } from 'node:stream';
import { READ_CHUNK_BYTES, resolveRange, type ByteRange } from '../blob-store.ts';
import { blobMissing, BlobRangeInvalidError } from '../errors.ts';
import { isObjectGone, isRangeInvalid, toStorageError } from './s3-errors.ts';
import type { S3Place } from './s3-place.ts';

/**
 * How often in a row a connection may end without having given a byte. Each was tried several times by the SDK
 * already.
 */
const MAX_BARREN_READS = 2;

interface OpenObject {
  body: Readable;
  /** Positions of the first and the last byte that are wanted. */
  position: number;
  end: number;
}

/** An object on its way: `chunks` can be read once, `cancel` ends it at any moment. */
export interface ObjectReading {
  chunks: AsyncGenerator<Buffer, void, void>;
  cancel: () => void;
}

/**
 * Opens a blob, or a part of it.
 * @throws blob_missing; blob_range_invalid; NoSuchBucket and everything else of S3 as it is
 */
export async function openObject(place: S3Place, key: string, range?: ByteRange): Promise<ObjectReading> {
  const cancelling = new AbortController();
  const open = (wanted?: ByteRange) => getObject(place, key, wanted, cancelling.signal);
  const opened = await open(range);
  return {
    chunks: readOn(opened, open, cancelling.signal),
    cancel: () => {
      cancelling.abort();
    },
  };
}

/** Makes a stream of at most two chunks of memory. */
export function streamOf({ chunks, cancel }: ObjectReading): Readable {
  return new Readable({
    highWaterMark: READ_CHUNK_BYTES,
    read() {
      chunks.next().then(
        ({ value }) => {
          this.push(value ?? null);
        },
        (error: unknown) => {
          this.destroy(error as Error);
        },
      );
    },
    destroy(error, done) {
      cancel();
      done(error);
    },
  });
}

async function* readOn(
  opened: OpenObject,
  open: (range: ByteRange) => Promise<OpenObject>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  let { body, position } = opened;
  const { end } = opened;
  for (let barren = 0; position <= end;) {
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        barren = 0;
        position += chunk.length;
        yield chunk;
      }
      if (position <= end) throw new Error('the body of an object ended early');
    } catch (error) {
      if (signal.aborted || ++barren > MAX_BARREN_READS) throw toStorageError(error);
      try {
        ({ body } = await open({ start: position, end }));
      } catch (cause) {
        throw toStorageError(cause);
      }
    }
  }
}

async function getObject(
  place: S3Place,
  key: string,
  range: ByteRange | undefined,
  signal: AbortSignal,
): Promise<OpenObject> {
  // Its shape alone: S3 knows how long the object is.
  if (range) resolveRange(Infinity, range);
  const answer = await place.s3
    .getObject(
      { ...place.object(key), ...(range && { Range: `bytes=${range.start}-${range.end}` }) },
      { abortSignal: signal },
    )
    .catch((error: unknown) => {
      if (isRangeInvalid(error))
        throw new BlobRangeInvalidError('Ask for bytes within those that there are.', { cause: error });
      throw isObjectGone(error) ? blobMissing(error) : error;
    });
  const body = answer.Body as Readable;
  // Until somebody reads it: a failure must not count as unhandled.
  body.on('error', () => undefined);
  if (!range) return { body, position: 0, end: (answer.ContentLength ?? 0) - 1 };
  const [, start, end] = /^bytes (\d+)-(\d+)\//.exec(answer.ContentRange ?? '') ?? [];
  if (Number(start) === range.start) return { body, position: range.start, end: Number(end) };
  body.destroy();
  throw answer.ContentLength === 0
    ? new BlobRangeInvalidError('Ask for bytes within those that there are.')
    : new Error('the storage knows no ranges');
}
