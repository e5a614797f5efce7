// What the refusal of a manifest says: where the file is wrong, and what a field holds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildTarball } from '../support/tarball-builder.ts';
import { scanBytes } from './scan-bytes.ts';

const valid = { name: '@acme/plugin', version: '1.0.0' };

async function readManifest(content: unknown): Promise<unknown> {
  const text = typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content);
  return (await scanBytes(await buildTarball([{ path: 'package/package.json', content: text }]))).manifest;
}

test('a manifest that cannot be parsed is rejected with what the parser says, on one bounded line', async () => {
  const long = 'x'.repeat(10_000);
  const cases: [string | Buffer, RegExp][] = [
    ['', /is empty: /],
    ['[]', /is JSON, but not an object: /],
    [Buffer.from('{}', 'utf16le'), /is UTF-16 text, but it must be UTF-8: /],
    [Buffer.from('\ufeff{}', 'utf16le'), /is UTF-16 text, /],
    [Buffer.from('\ufeff{}', 'utf16le').swap16(), /is UTF-16 text, /],
    [Buffer.from('{}', 'utf16le').swap16(), /is UTF-16 text, /],
    [Buffer.from('{"name":"caf\xe9"}', 'latin1'), /is not UTF-8 text: /],
    ['{\n "name": "a",\n}', /is not valid JSON \(.+ at line 3 column 1\): /],
    ['{\n // why\n "name": "a"}', /is not valid JSON \(.+ at line 2 column 2\): /],
    ['{"files":["a",],"name":"a"}', /is not valid JSON \(Unexpected token '\]', .+\): /],
    ['{} x', /is not valid JSON \(.+ at line 1 column 4\): /],
    [`{"name":\u001b\u202e\n${long}`, /is not valid JSON \(Unexpected token/],
    [long, /is not valid JSON \(Unexpected token/],
    ['['.repeat(100_000), /is not valid JSON \(/],
  ];
  for (const [content, expected] of cases)
    await assert.rejects(readManifest(content), ({ message }: Error) => {
      assert.match(message, expected);
      assert.match(message, /^package\/package\.json [^\p{C}\p{Zl}]{1,220}: correct it and pack again\.$/u);
      return true;
    });
});

test('a field that is rejected is quoted, on one line of bounded length', async () => {
  const text = JSON.stringify({ ...valid, registry: { processingConfigSchema: 0 } });
  const cases: [unknown, string][] = [
    [{ version: '1.0.0' }, 'name in package/package.json is missing, but it must be '],
    [{ ...valid, version: '0.1' }, 'version in package/package.json is "0.1", but it must be a semver version '],
    [{ ...valid, version: 1 }, 'version in package/package.json is 1, '],
    [{ ...valid, version: null }, 'version in package/package.json is null, '],
    [{ ...valid, name: ['a'] }, 'name in package/package.json is a list, '],
    [{ ...valid, name: 'a\n\u202eb' }, 'name in package/package.json is "a\\u{a}\\u{202e}b", '],
    [{ ...valid, name: 'x'.repeat(500) }, `name in package/package.json is "${'x'.repeat(100)}…", a text of 500 `],
    [
      { ...valid, registry: { applicationConfigSchema: { a: 'x'.repeat(70_000) } } },
      'registry.applicationConfigSchema in package/package.json is an object of 70008 bytes, but it must be ',
    ],
    [
      text.replace(':0', `:${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
      'registry.processingConfigSchema in package/package.json is an object that is nested more than 100 deep, ',
    ],
  ];
  for (const [content, expected] of cases)
    await assert.rejects(readManifest(content), ({ message }: Error) => {
      assert.ok(message.startsWith(expected), message);
      assert.match(message, /^[^\p{C}\p{Zl}]{1,400}: correct it and pack again\.$/u);
      return true;
    });
});
