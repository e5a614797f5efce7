// An upload that pauses half-way, for tests of what happens meanwhile.

import {
  fieldPart,
  filePart,
  multipartBody,
  MULTIPART_TYPE,
  openConnection,
  requestHead,
  type RawAnswer,
  type RawConnection,
} from './raw-http.ts';
import { eventually } from './eventually.ts';
import { readStoredState, type WithStorage } from './stored-state.ts';
import type { TestClient } from './test-client.ts';

export interface SlowUploadOptions {
  id: string;
  format?: 'npm' | 'file';
  file: Uint8Array;
  fields?: Record<string, string>;
  /** Default: those of an internal service. */
  headers?: Record<string, string>;
  /** Fraction of the body that is sent at first; default 0.5. */
  share?: number;
  /** Whether to wait until the server has started writing; false for uploads that may be refused. Default true. */
  waits?: boolean;
}

export interface SlowUpload {
  connection: RawConnection;
  /** Sends the rest and returns the response. */
  finish(): Promise<RawAnswer & { code?: string }>;
  /** Closes the connection. */
  abandon(): Promise<void>;
}

/** Sends the first part of an upload. */
export async function beginSlowUpload(
  server: WithStorage & Pick<TestClient, 'url' | 'internal'>,
  { id, format = 'npm', file, fields = {}, headers = server.internal, share = 0.5, waits = true }: SlowUploadOptions,
): Promise<SlowUpload> {
  const body = multipartBody([
    ...Object.entries(fields).map(([name, value]) => fieldPart(name, value)),
    filePart(file),
  ]);
  const connection = await openConnection(server.url);
  const { blob_writers: before } = await readStoredState(server);
  await connection.send(
    requestHead('POST', `/api/v1/artefacts/${format}/${encodeURIComponent(id)}`, {
      ...headers,
      'content-type': MULTIPART_TYPE,
      'content-length': body.length,
    }),
  );
  const cut = Math.floor(body.length * share);
  await connection.send(body.subarray(0, cut));
  if (waits)
    await eventually(async () => {
      const { blob_writers } = await readStoredState(server);
      if (blob_writers.length <= before.length) throw new Error('the upload has not started');
    });
  return {
    connection,
    async finish() {
      await connection.send(body.subarray(cut));
      const answer = await connection.answer();
      connection.end();
      const { code } = JSON.parse(answer.body) as { code?: string };
      return { ...answer, ...(code !== undefined && { code }) };
    },
    async abandon() {
      connection.end();
      await connection.closed();
    },
  };
}
