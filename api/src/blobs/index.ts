export { createBlobs, type Blobs } from './blobs.ts';
export type { BlobUpload, FinishedBlob } from './upload.ts';
export type { BlobStore } from './blob-store.ts';
export { createFsStore } from './drivers/fs.ts';
export { BlobMissingError } from './errors.ts';
