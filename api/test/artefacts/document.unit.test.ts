import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Artefact, Slot } from '../../src/artefacts/artefact.ts';
import { renderDocument, renderReceipt, type Audience } from '../../src/artefacts/document.ts';
import { sampleArtefact, sampleSlot } from './samples.ts';

const KEY = { apiKeyId: 'key-1', apiKeyName: 'CI', shortId: '0000000a' };
const OTHER_KEY = { apiKeyId: 'key-2', apiKeyName: 'other', shortId: '0000000b' };
const NOARCH = sampleSlot({
  path: 'npm/p/noarch-1.tgz',
  sizeBytes: 1,
  uploadedBy: KEY,
  uploadedAt: '2026-01-01T00:00:00.000Z',
});
const X64 = sampleSlot({
  architecture: 'x64',
  path: 'npm/p/x64-2.tgz',
  sizeBytes: 2,
  uploadedBy: OTHER_KEY,
  hasNativeModules: true,
  uploadedAt: '2026-01-02T00:00:00.000Z',
});
const FILE = sampleSlot({
  architecture: '',
  path: 'files/f/1-f.bin',
  sizeBytes: 3,
  version: undefined,
  fileName: 'f.bin',
  uploadedBy: KEY,
});

type Document = Record<string, unknown> & { tarballs?: Record<string, Record<string, unknown>> };
const render = (artefact: Artefact, slots: readonly Slot[], audience: Audience = 'full') =>
  JSON.parse(renderDocument(artefact, slots, audience).json) as Document;

test('an npm document lists its slots by architecture, with the documented fields', () => {
  const { tarballs } = render(sampleArtefact(), [NOARCH, X64]);
  assert.deepEqual(Object.keys(tarballs ?? {}), ['noarch', 'x64']);
  assert.deepEqual(tarballs?.['x64'], {
    path: 'npm/p/x64-2.tgz',
    size: 2,
    digest: X64.digest,
    version: '1.0.0',
    uploadedAt: X64.uploadedAt,
    uploadedBy: OTHER_KEY,
    hasNativeModules: true,
    hasInstallScripts: false,
  });
});

test('the root of an npm document describes the slot of /download, with the size of the last upload', () => {
  const document = render(sampleArtefact({ uploadedBy: OTHER_KEY }), [NOARCH, X64]);
  assert.deepEqual(
    [document['path'], document['hasNativeModules'], document['uploadedBy'], document['size']],
    ['npm/p/noarch-1.tgz', false, KEY, 2],
  );
  const withoutNoarch = render(sampleArtefact(), [X64]);
  assert.deepEqual(
    [withoutNoarch['path'], withoutNoarch['hasNativeModules'], withoutNoarch['uploadedBy']],
    ['npm/p/x64-2.tgz', true, OTHER_KEY],
  );
});

test('an npm document may have no slots', () => {
  const document = render(sampleArtefact(), []);
  assert.deepEqual(
    [document.tarballs, document['path'], document['hasNativeModules'], document['size']],
    [{}, undefined, false, 0],
  );
});

test('a file document has its file at the root and no tarballs', () => {
  const document = render(sampleArtefact({ id: 'f', format: 'file', packageName: undefined, version: undefined }), [
    FILE,
  ]);
  assert.ok(!('tarballs' in document));
  assert.deepEqual(
    [document['filePath'], document['path'], document['fileName'], document['digest'], document['size']],
    ['files/f/1-f.bin', 'files/f/1-f.bin', 'f.bin', FILE.digest, 3],
  );
});

test('unset fields are omitted', () => {
  const document = render(sampleArtefact(), [NOARCH]);
  for (const field of [
    'licence',
    'title',
    'description',
    'group',
    'documentation',
    'processingConfigSchema',
    'applicationConfigSchema',
    'thumbnail',
    'origin',
    'filePath',
    'fileName',
    'digest',
  ]) {
    assert.ok(!(field in document), field);
  }
});

test('only the full document has the uploader and the access list', () => {
  const artefact = sampleArtefact({ privateAccess: [{ type: 'organization', id: 'acme' }] });
  const [full, limited] = [render(artefact, [NOARCH, X64]), render(artefact, [NOARCH, X64], 'limited')];
  assert.deepEqual(full['privateAccess'], [{ type: 'organization', id: 'acme' }]);
  assert.deepEqual(limited['privateAccess'], []);
  assert.ok(!JSON.stringify(limited).includes('uploadedBy'));
});

test('the response to an upload names the uploader of the new slot only', () => {
  const receipt = JSON.parse(renderReceipt(sampleArtefact({ uploadedBy: OTHER_KEY }), [NOARCH, X64], X64)) as Document;
  assert.deepEqual(receipt['uploadedBy'], OTHER_KEY);
  assert.deepEqual(receipt.tarballs?.['x64']?.['uploadedBy'], OTHER_KEY);
  assert.ok(!JSON.stringify(receipt).includes(KEY.apiKeyId));
});

test('the entity tag changes with the document only', () => {
  const { etag } = renderDocument(sampleArtefact(), [NOARCH], 'full');
  assert.match(etag, /^"[\w-]{22}"$/);
  assert.equal(renderDocument(sampleArtefact(), [NOARCH], 'full').etag, etag);
  assert.notEqual(renderDocument(sampleArtefact({ deprecated: true }), [NOARCH], 'full').etag, etag);
  assert.notEqual(renderDocument(sampleArtefact(), [NOARCH], 'limited').etag, etag);
});
