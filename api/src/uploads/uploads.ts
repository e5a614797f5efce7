// Resumable uploads: routes.ts implements tus 1.0, tus-headers.ts parses its headers, service.ts orchestrates, and
// claims.ts ensures a single writer. artefacts/ turns the bytes into an artefact, blobs/ stores them.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { uploadRepository } from './repository.ts';
import { uploadRoutes } from './routes.ts';
import { createTusUploadService, type TusUploadServiceOptions } from './service.ts';

export interface UploadsOptions extends TusUploadServiceOptions {
  maxUploadBytes: number;
}

export interface Uploads {
  routes: FastifyPluginAsyncTypebox;
  /** Removes expired uploads and returns how many. To be called about every hour. */
  expireUploads(): Promise<number>;
  /** Number of uploads that are not complete, for the metrics. */
  countIncomplete(): Promise<number>;
  /** Waits, for a limited time, until running requests have stored their bytes. */
  close(): Promise<void>;
}

export function createTusUploads(options: UploadsOptions): Uploads {
  const service = createTusUploadService(options);
  return {
    routes: uploadRoutes(service, options.maxUploadBytes),
    expireUploads: () => service.expire(),
    countIncomplete: () => uploadRepository(options.database.aside, options.database.dialect).countIncomplete(),
    close: () => service.close(),
  };
}
