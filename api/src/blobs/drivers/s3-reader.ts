// Reads objects. When a connection breaks or times out midway, a new one continues where it stopped.

import { Readable } from 'node:stream';
import { READ_CHUNK_BYTES, resolveRange, type ByteRange } from '../blob-store.ts';
import { blobMissing, BlobRangeInvalidError } from '../errors.ts';
import { isObjectGone, isRangeInvalid, toStorageError } from './s3-errors.ts';
import type { S3Location } from './s3-location.ts';

/** Consecutive connections that may end without a byte. The SDK has already retried each of them several times. */
const MAX_READS_WITHOUT_PROGRESS = 2;

interface OpenObject {
  body: Readable;
  /** Positions of the first and the last byte to read. */
  position: number;
  end: number;
}

/** An open object: `chunks` can be iterated once, `cancel` ends the read at any moment. */
export interface ObjectRead {
  chunks: AsyncGenerator<Buffer, void, void>;
  cancel: () => void;
}

/**
 * Opens a blob, or a range of it.
 * @throws blob_missing; blob_range_invalid; any other S3 error unchanged, such as NoSuchBucket
 */
export async function openObject(location: S3Location, key: string, range?: ByteRange): Promise<ObjectRead> {
  const cancelling = new AbortController();
  const open = (part?: ByteRange) => getObject(location, key, part, cancelling.signal);
  const opened = await open(range);
  return {
    chunks: readResuming(opened, open, cancelling.signal),
    cancel: () => {
      cancelling.abort();
    },
  };
}

/** Wraps an open object in a stream that buffers at most two chunks. */
export function toStream({ chunks, cancel }: ObjectRead): Readable {
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

async function* readResuming(
  opened: OpenObject,
  open: (range: ByteRange) => Promise<OpenObject>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  let { body, position } = opened;
  const { end } = opened;
  for (let readsWithoutProgress = 0; position <= end;) {
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        readsWithoutProgress = 0;
        position += chunk.length;
        yield chunk;
      }
      if (position <= end) throw new Error('the body of an object ended early');
    } catch (error) {
      if (signal.aborted || ++readsWithoutProgress > MAX_READS_WITHOUT_PROGRESS) throw toStorageError(error);
      try {
        ({ body } = await open({ start: position, end }));
      } catch (cause) {
        throw toStorageError(cause);
      }
    }
  }
}

async function getObject(
  location: S3Location,
  key: string,
  range: ByteRange | undefined,
  signal: AbortSignal,
): Promise<OpenObject> {
  // Checks only its form: S3 knows the size of the object.
  if (range) resolveRange(Infinity, range);
  const response = await location.s3
    .getObject(
      { ...location.object(key), ...(range && { Range: `bytes=${range.start}-${range.end}` }) },
      { abortSignal: signal },
    )
    .catch((error: unknown) => {
      if (isRangeInvalid(error)) throw new BlobRangeInvalidError('Request a range within the blob.', { cause: error });
      throw isObjectGone(error) ? blobMissing(error) : error;
    });
  const body = response.Body as Readable;
  // Until the body is read, an error must not count as unhandled.
  body.on('error', () => undefined);
  if (!range) return { body, position: 0, end: (response.ContentLength ?? 0) - 1 };
  const [, start, end] = /^bytes (\d+)-(\d+)\//.exec(response.ContentRange ?? '') ?? [];
  if (Number(start) === range.start) return { body, position: range.start, end: Number(end) };
  body.destroy();
  throw response.ContentLength === 0
    ? new BlobRangeInvalidError('Request a range within the blob.')
    : new Error('the storage does not support range requests');
}
