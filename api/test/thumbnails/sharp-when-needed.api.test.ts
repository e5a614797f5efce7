import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uploaded } from '../artefacts/documents.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { makeBlackPng } from './handmade-images.ts';

test('a server loads sharp with the first raster image and not before', async (t) => {
  const server = await startTestServer();
  t.after(() => server.close());
  await uploaded(server, 'plain', { file: await npmTarball() });
  assert.equal(await setThumbnail(server, Buffer.from('<svg></svg>')), 201);
  assert.deepEqual(loadedParts(), []);
  assert.equal(await setThumbnail(server, makeBlackPng(10, 10)), 201);
  assert.notDeepEqual(loadedParts(), []);
});

async function setThumbnail({ url, internal }: TestServer, file: Uint8Array): Promise<number> {
  const form = new FormData();
  form.set('file', new Blob([file]), 'image');
  return (await fetch(`${url}/api/v1/artefacts/plain/thumbnail`, { method: 'POST', headers: internal, body: form }))
    .status;
}

/** Lists the native libraries of sharp that this process has loaded. */
function loadedParts(): string[] {
  const { sharedObjects } = process.report.getReport() as { sharedObjects: string[] };
  return sharedObjects.filter((file) => /sharp|vips/.test(file));
}
