// Calls that most tests of this slice make. Each checks the response, and documents against their schema.

import assert from 'node:assert/strict';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { ArtefactSchema } from '../../src/artefacts/schemas.ts';
import type { TestServer, UploadForm } from '../support/test-server.ts';

export type Document = Static<typeof ArtefactSchema>;
export interface DocumentList {
  results: Document[];
  count: number;
}

/** Uploads, and returns the document of the response. */
export async function uploadArtefact(server: TestServer, id: string, form: UploadForm): Promise<Document> {
  const response = await server.upload(id, form);
  const text = await response.text();
  assert.equal(response.status, 201, text);
  return assertMatchesSchema((JSON.parse(text) as { artefact: Document }).artefact);
}

/** Stored documents bypass the serialiser, so only this check ensures that they match their schema. */
function assertMatchesSchema(document: Document): Document {
  assert.ok(Value.Check(ArtefactSchema, document), JSON.stringify([...Value.Errors(ArtefactSchema, document)]));
  assert.deepEqual(
    Object.keys(document).filter((field) => !(field in ArtefactSchema.properties)),
    [],
  );
  return document;
}

export function artefactPath(id: string, rest = ''): string {
  return `/artefacts/${encodeURIComponent(id)}${rest}`;
}

/** Reads an existing document, by default as an internal service. */
export async function readDocument(server: TestServer, id: string, headers = server.internal): Promise<Document> {
  const response = await server.api('GET', artefactPath(id), { headers });
  assert.equal(response.status, 200);
  return assertMatchesSchema((await response.json()) as Document);
}

/** Edits an artefact as an internal service. */
export async function patchArtefact(server: TestServer, id: string, body: Record<string, unknown>): Promise<Document> {
  const response = await server.api('PATCH', artefactPath(id), { headers: server.internal, body });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return assertMatchesSchema(JSON.parse(text) as Document);
}

/** Lists artefacts, by default as an internal service. */
export async function listArtefacts(
  server: TestServer,
  search = '',
  headers = server.internal,
): Promise<DocumentList> {
  const response = await server.api('GET', `/artefacts${search}`, { headers });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const { results, ...rest } = JSON.parse(text) as DocumentList;
  return { results: results.map(assertMatchesSchema), ...rest };
}
