// Calls of the thumbnail API.

import assert from 'node:assert/strict';
import { artefactPath, type Document } from '../artefacts/documents.ts';
import type { Headers } from '../support/callers.ts';
import type { TestServer } from '../support/test-server.ts';

export function thumbnailPath(id: string): string {
  return artefactPath(id, '/thumbnail');
}

export function dataPath({ thumbnail }: Document): string {
  return `/thumbnails/${thumbnail?.id}/data`;
}

export function postThumbnail(
  { url, internal }: TestServer,
  id: string,
  file: string | Uint8Array,
  headers: Headers = internal,
): Promise<Response> {
  const form = new FormData();
  form.set('file', new Blob([file]), 'image');
  return fetch(`${url}/api/v1${thumbnailPath(id)}`, { method: 'POST', headers, body: form });
}

/** Sets a thumbnail and returns the document of the response. */
export async function setThumbnail(server: TestServer, id: string, file: string | Uint8Array): Promise<Document> {
  const response = await postThumbnail(server, id, file);
  assert.equal(response.status, 201);
  return (await response.json()) as Document;
}
