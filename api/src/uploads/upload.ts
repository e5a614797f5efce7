// What a resumable upload over tus is, apart from how it is stored (repository.ts) and sent (routes.ts).

import type { Target, UploadFields } from '../artefacts/index.ts';

export interface TusUpload {
  id: string;
  storageKey: string;
  target: Target;
  fields: UploadFields;
  /** Announced length. */
  sizeBytes: number;
  /** Undefined while bytes are arriving, and after a crash until somebody has looked. */
  receivedBytes: number | undefined;
  createdBy: string;
  createdAt: string;
  expiresAt: string;
  isExpired: boolean;
  /** Once it is published. */
  result: UploadResult | undefined;
}

export interface UploadResult {
  /** The artefact's document as JSON, as the uploader gets it. */
  document: string;
  digest: string;
}

/** How long an upload is kept after its last byte, and what came of it after its end. */
export const EXPIRY_MS = 24 * 3_600_000;
