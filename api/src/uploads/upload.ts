// The domain type of a resumable upload, independent of its storage (repository.ts) and protocol (routes.ts).

import type { Target, UploadFields } from '../artefacts/index.ts';

export interface TusUpload {
  id: string;
  storageKey: string;
  target: Target;
  fields: UploadFields;
  /** Length announced at creation. */
  sizeBytes: number;
  /** Undefined while bytes are arriving, and after a crash until the upload is inspected. */
  receivedBytes: number | undefined;
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  isExpired: boolean;
  /** Set once the upload is published. */
  result: UploadResult | undefined;
}

export interface UploadResult {
  /** The artefact's document as JSON, as returned to the uploader. */
  document: string;
  digest: string;
}

/** How long an upload is kept after its last byte, and its result after publication. */
export const EXPIRY_MS = 24 * 3_600_000;
