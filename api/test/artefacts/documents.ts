// Documents as clients see them, and the calls that nearly every test of this slice makes.

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

/** Uploads, and returns the document of the answer. */
export async function uploaded(server: TestServer, id: string, form: UploadForm): Promise<Document> {
  const response = await server.upload(id, form);
  const text = await response.text();
  assert.equal(response.status, 201, text);
  return asDescribed((JSON.parse(text) as { artefact: Document }).artefact);
}

/** Documents are stored rendered, so nothing but this holds them to the schema that describes them. */
function asDescribed(document: Document): Document {
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

/** Reads a document that is there, as an internal service unless other headers are given. */
export async function readDocument(server: TestServer, id: string, headers = server.internal): Promise<Document> {
  const response = await server.api('GET', artefactPath(id), { headers });
  assert.equal(response.status, 200);
  return asDescribed((await response.json()) as Document);
}

/** Changes a document as an internal service. */
export async function patched(server: TestServer, id: string, body: Record<string, unknown>): Promise<Document> {
  const response = await server.api('PATCH', artefactPath(id), { headers: server.internal, body });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return asDescribed(JSON.parse(text) as Document);
}

/** Lists as an internal service unless other headers are given. */
export async function listed(server: TestServer, search = '', headers = server.internal): Promise<DocumentList> {
  const response = await server.api('GET', `/artefacts${search}`, { headers });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const { results, ...rest } = JSON.parse(text) as DocumentList;
  return { results: results.map(asDescribed), ...rest };
}
