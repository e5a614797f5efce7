// Lists objects, unfinished uploads and their parts below a prefix. Pages are fetched on demand.

import type { MultipartUpload, Part, _Object } from '@aws-sdk/client-s3';
import { ignoreUploadGone } from './s3-errors.ts';
import type { S3Location } from './s3-location.ts';

export type ListedObject = _Object & { Key: string };
export type ListedUpload = MultipartUpload & { Key: string; UploadId: string };
export type ListedPart = Part & { PartNumber: number; ETag: string; Size: number };

export async function* listObjects({ s3, bucket }: S3Location, prefix: string): AsyncGenerator<ListedObject> {
  for (let next: string | undefined; ;) {
    const page = await s3.listObjectsV2({
      Bucket: bucket,
      Prefix: prefix,
      ...(next !== undefined && { ContinuationToken: next }),
    });
    for (const object of page.Contents ?? []) if (object.Key?.startsWith(prefix)) yield object as ListedObject;
    if (!page.IsTruncated) return;
    next = page.NextContinuationToken;
  }
}

export async function* listUploads({ s3, bucket }: S3Location, prefix: string): AsyncGenerator<ListedUpload> {
  for (let next: { KeyMarker?: string; UploadIdMarker?: string } = {}; ;) {
    const page = await s3.listMultipartUploads({ Bucket: bucket, Prefix: prefix, ...next });
    for (const upload of page.Uploads ?? [])
      if (upload.Key?.startsWith(prefix) && upload.UploadId) yield upload as ListedUpload;
    if (!page.IsTruncated) return;
    next = {
      ...(page.NextKeyMarker && { KeyMarker: page.NextKeyMarker }),
      ...(page.NextUploadIdMarker && { UploadIdMarker: page.NextUploadIdMarker }),
    };
  }
}

/** Aborts all unfinished uploads of a blob, except the one with this ID. */
export async function abortUploads(location: S3Location, key: string, exceptId?: string): Promise<void> {
  const object = location.object(key);
  const ids = [];
  for await (const { Key, UploadId } of listUploads(location, object.Key)) {
    if (Key === object.Key && UploadId !== exceptId) ids.push(UploadId);
  }
  for (const UploadId of ids) await location.s3.abortMultipartUpload({ ...object, UploadId }).catch(ignoreUploadGone);
}

/** Lists the parts of an upload in part number order. @throws NoSuchUpload */
export async function* listParts(
  { s3, object }: S3Location,
  key: string,
  uploadId: string,
): AsyncGenerator<ListedPart> {
  for (let next: string | undefined; ;) {
    const page = await s3.listParts({
      ...object(key),
      UploadId: uploadId,
      ...(next !== undefined && { PartNumberMarker: next }),
    });
    for (const part of page.Parts ?? []) yield part as ListedPart;
    if (!page.IsTruncated) return;
    next = page.NextPartNumberMarker;
  }
}
