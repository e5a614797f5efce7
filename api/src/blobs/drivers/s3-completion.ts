// Makes a blob visible, with one PutObject or from the parts of an upload; also if a response gets lost.

import type { CompletedPart } from '@aws-sdk/client-s3';
import { blobMissing } from '../errors.ts';
import { isObjectGone, isUploadGone } from './s3-errors.ts';
import type { S3Location } from './s3-location.ts';

/** Joins the parts, in order. @throws blob_missing if there is neither the upload nor an object of this size */
export async function completeUpload(
  { s3, object }: S3Location,
  key: string,
  uploadId: string,
  { parts, sizeBytes }: { parts: CompletedPart[]; sizeBytes: number },
): Promise<void> {
  try {
    await s3.completeMultipartUpload({ ...object(key), UploadId: uploadId, MultipartUpload: { Parts: parts } });
  } catch (error) {
    if (!isUploadGone(error)) throw error;
    // Either the blob was deleted, or a response was lost and the SDK has retried a completion that had succeeded.
    const { ContentLength } = await s3.headObject(object(key)).catch((cause: unknown) => {
      throw isObjectGone(cause) ? blobMissing(error) : cause;
    });
    if (ContentLength !== sizeBytes) throw blobMissing(error);
  }
}

/** Stores a blob with one request. Idempotent: a retry sends the same bytes, also after a lost response. */
export async function putBlob(location: S3Location, key: string, bytes: Uint8Array = new Uint8Array()): Promise<void> {
  const { s3, object } = location;
  await s3.putObject({ ...object(key), Body: bytes, ContentLength: bytes.length });
}
