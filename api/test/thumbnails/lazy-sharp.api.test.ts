import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uploadArtefact } from '../artefacts/documents.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer } from '../support/test-server.ts';
import { makeBlackPng } from './synthetic-images.ts';
import { postThumbnail } from './thumbnail-client.ts';

test('a server loads sharp with the first raster image, not before', async (t) => {
  const server = await startTestServer();
  t.after(() => server.close());
  await uploadArtefact(server, 'plain', { file: await npmTarball() });
  assert.equal((await postThumbnail(server, 'plain', '<svg></svg>')).status, 201);
  assert.deepEqual(loadedSharpLibraries(), []);
  assert.equal((await postThumbnail(server, 'plain', makeBlackPng(10, 10))).status, 201);
  assert.notDeepEqual(loadedSharpLibraries(), []);
});

/** Lists the native libraries of sharp that are loaded in this process. */
function loadedSharpLibraries(): string[] {
  const { sharedObjects } = process.report.getReport() as { sharedObjects: string[] };
  return sharedObjects.filter((file) => /sharp|vips/.test(file));
}
