export { createBlobs, type Blobs } from './blobs.ts';
export type { BlobUpload, FinishedBlob } from './upload.ts';
export type { BlobStore } from './blob-store.ts';
export { createFsStore } from './drivers/fs.ts';
export { BlobMissingError } from './errors.ts';
export { createStorage, SCRUB_JOB, SWEEP_JOB, type Storage, type StorageOptions } from './storage.ts';
export { storageRoutes } from './storage-routes.ts';
export type { Finding, FindingReason, ScrubProgress, ScrubResult } from './scrub.ts';
export type { SweepProgress, SweepResult } from './sweep.ts';
