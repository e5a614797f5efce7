// Resumable uploads: routes.ts speaks tus 1.0, whose headers tus-headers.ts reads, service.ts decides, claims.ts lets
// one request at a time write. How bytes become an artefact is known by artefacts/, how they are stored by blobs/.

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { uploadRoutes } from './routes.ts';
import { createTusUploadService, type TusUploadServiceOptions } from './service.ts';

export interface UploadsOptions extends TusUploadServiceOptions {
  maxUploadBytes: number;
}

export interface Uploads {
  routes: FastifyPluginAsyncTypebox;
  /** Removes uploads that have expired, and returns how many; due about every hour. */
  expireUploads(): Promise<number>;
  /** Waits for requests that still put away their bytes. */
  close(): Promise<void>;
}

export function createTusUploads(options: UploadsOptions): Uploads {
  const service = createTusUploadService(options);
  return {
    routes: uploadRoutes(service, options.maxUploadBytes),
    expireUploads: () => service.expire(),
    close: () => service.close(),
  };
}
