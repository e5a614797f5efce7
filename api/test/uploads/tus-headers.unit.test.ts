import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  assertProtocol,
  formatMetadata,
  readMethodOverride,
  parseMetadata,
  readUploadLength,
  readUploadOffset,
} from '../../src/uploads/tus-headers.ts';

const metadata = (header: string) => parseMetadata({ 'upload-metadata': header });
const TUS = { 'tus-resumable': '1.0.0' };
const BYTES = { 'content-type': 'application/offset+octet-stream' };

describe('Upload-Metadata', () => {
  test('is parsed into pairs, with or without a space after a comma', () => {
    const read = { id: '@acme/maps', format: 'file', title: '{"fr":"Côtes"}' };
    const [id, format, title] = Object.values(read).map((text) => Buffer.from(text).toString('base64'));
    // Two headers are joined with a comma and a space; empty elements of a list do not count (RFC 9110, 5.6.1).
    for (const comma of [',', ', ', ' ,', ' , ', '\t,\t', ',,', ', ,'])
      for (const [start, end] of [
        ['', ''],
        [' ', ' '],
        [',', ','],
      ]) {
        const header = [`id ${id}`, `format ${format}`, `title ${title}`].join(comma);
        assert.deepEqual(metadata(`${start}${header}${end}`), read);
      }
    for (const header of ['', ',', ' , ']) assert.deepEqual(metadata(header), {});
  });

  test('may be missing, and a key may have no value, with or without its space', () => {
    assert.deepEqual(parseMetadata({}), {});
    assert.deepEqual(metadata('a,b ,c eA=='), { a: '', b: '', c: 'x' });
  });

  test('may contain keys that are names of object properties', () => {
    const entries = Object.entries(metadata('constructor eA==,__proto__ eQ=='));
    assert.deepEqual(entries, [
      ['constructor', 'x'],
      ['__proto__', 'y'],
    ]);
  });

  const malformed = ['id !', 'id eA', 'id eA=', 'id e===', 'id  eA==', 'id eA== eA==', 'clé eA==', 'id eA==,id eA=='];
  for (const header of malformed) {
    test(`is rejected when it is "${header}"`, () => {
      assert.throws(() => metadata(header), { code: 'tus_header_invalid' });
    });
  }

  test('is rejected with the pair that is wrong, at bounded length', () => {
    const cases: [string, RegExp][] = [
      ['id eA==, format npm', /^Pair 2 of Upload-Metadata, "format npm", is not /],
      [`id ${'x'.repeat(10_001)}`, /^Pair 1 of Upload-Metadata, "id x{97}…", is not /],
      [`id eA==,${'x'.repeat(1000)},${'x'.repeat(1000)}`, /^Upload-Metadata has the key "x{100}…" twice: /],
    ];
    for (const [header, message] of cases) assert.throws(() => metadata(header), { message });
  });

  test('is formatted as it was parsed', () => {
    for (const header of ['id QGFjbWUvbWFwcw==,format ZmlsZQ==', 'id eA==,category']) {
      assert.equal(formatMetadata(metadata(header)), header);
    }
  });
});

test('lengths and offsets are non-negative integers in canonical form', () => {
  for (const [text, number] of [
    ['0', 0],
    ['12', 12],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const) {
    assert.equal(readUploadLength({ 'upload-length': text }), number);
    assert.equal(readUploadOffset({ 'upload-offset': text }), number);
  }
  for (const text of [undefined, '', ' ', '-1', '-0', '1.5', '1e3', '0x10', '007', '+1', 'x', '1, 1']) {
    assert.throws(() => readUploadLength({ 'upload-length': text }), { code: 'tus_header_invalid' });
    assert.throws(() => readUploadOffset({ 'upload-offset': text }), { code: 'tus_header_invalid' });
  }
});

test('every request must state the protocol version', () => {
  assertProtocol('HEAD', TUS);
  const expected = { code: 'tus_version_unsupported', headers: { 'tus-version': '1.0.0' } };
  for (const headers of [{}, { 'tus-resumable': '0.2.2' }]) {
    assert.throws(() => {
      assertProtocol('HEAD', headers);
    }, expected);
  }
});

test('a body must have the media type of the protocol; a creation without a body may have any', () => {
  const json = { ...TUS, 'content-type': 'application/json' };
  assertProtocol('PATCH', { ...TUS, ...BYTES });
  assertProtocol('POST', { ...TUS, ...BYTES, 'content-length': '1' });
  assertProtocol('POST', { ...json, 'content-length': '0' });
  assertProtocol('DELETE', json);
  for (const length of [{ 'content-length': '1' }, { 'transfer-encoding': 'chunked' }]) {
    assert.throws(
      () => {
        assertProtocol('POST', { ...json, ...length });
      },
      { code: 'media_type_unsupported' },
    );
  }
  for (const headers of [TUS, json]) {
    assert.throws(
      () => {
        assertProtocol('PATCH', headers);
      },
      { code: 'media_type_unsupported' },
    );
  }
});

test('unsupported extensions are rejected', () => {
  for (const headers of [{ 'upload-defer-length': '1' }, { 'upload-concat': 'partial' }]) {
    assert.throws(
      () => {
        assertProtocol('POST', { ...TUS, ...headers });
      },
      { code: 'tus_extension_unsupported' },
    );
  }
});

test('a POST to an upload must state the method to use', () => {
  assert.equal(readMethodOverride({ 'x-http-method-override': 'patch' }), 'PATCH');
  assert.equal(readMethodOverride({ 'x-http-method-override': 'DELETE' }), 'DELETE');
  for (const headers of [{}, { 'x-http-method-override': 'PUT' }]) {
    assert.throws(() => readMethodOverride(headers), { code: 'tus_header_invalid' });
  }
});
