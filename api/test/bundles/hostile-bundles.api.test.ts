// A bundle comes from elsewhere: whatever its headers and documents say, an import ends, and imports what is valid.

import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exportArtefacts, importArtefacts } from '../../index.ts';
import { indexBundle, readEntry } from '../../src/bundles/bundle-file.ts';
import { envOf, startTestServer, type TestServer } from '../support/test-server.ts';
import { documentOf, publish } from '../remotes/pair.ts';

const BLOCK_BYTES = 512;
/** Where a header has its size, in octal digits. */
const SIZE = { offset: 124, length: 12 };

let directory: string;
let path: string;
let source: TestServer;
let target: TestServer;
let valid: Buffer;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-hostile-bundle-'));
  path = join(directory, 'bundle.tar');
  source = await startTestServer({ env: { PUBLIC_URL: 'https://production.example.org' } });
  target = await startTestServer();
  await publish(source, '@acme/a@1', '1.0.0');
  await publish(source, '@acme/b@1', '1.0.0');
  await exportArtefacts(envOf(source), path, { patterns: ['@acme/*'] });
  valid = await readFile(path);
});
after(async () => {
  await Promise.all([source.close(), target.close()]);
  await rm(directory, { recursive: true });
});

/** Makes the checksum of a header right again. */
function sign(header: Buffer): void {
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

function withHeader(change: (header: Buffer) => void): Buffer {
  const bytes = Buffer.from(valid);
  const header = bytes.subarray(0, BLOCK_BYTES);
  change(header);
  sign(header);
  return bytes;
}

/** Indexes and reads every entry; returns the code of the error, if any. */
async function outcomeOf(bytes: Buffer): Promise<string> {
  await writeFile(path, bytes);
  const file = await open(path, 'r');
  try {
    const entries = await indexBundle(file);
    for (const entry of entries.values()) {
      assert.ok(Number.isSafeInteger(entry.sizeBytes) && entry.offset + entry.sizeBytes <= bytes.length);
      for await (const chunk of readEntry(file, entry)) assert.ok(chunk.length > 0);
    }
    return 'valid';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await file.close();
  }
}

for (const [name, size] of Object.entries({
  'a negative size': Buffer.from('-0000001000\0'),
  'a size of minus one block': Buffer.from('-0000000001\0'),
  'a size beyond safe integers': Buffer.from([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  'a negative base-256 size': Buffer.alloc(SIZE.length, 0xff),
  'a base-256 size with an invalid lead': Buffer.from([0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
  'a size of letters': Buffer.from('zzzzzzzzzzz\0'),
  'no size': Buffer.alloc(SIZE.length),
  'a size beyond the file': Buffer.from('77777777777\0'),
})) {
  test(`a bundle with ${name} is refused`, async () => {
    const bytes = withHeader((header) => size.copy(header, SIZE.offset));
    assert.equal(await outcomeOf(bytes), 'bundle_invalid');
    await assert.rejects(importArtefacts(envOf(target), path), { code: 'bundle_invalid' });
  });
}

test('random headers with a right checksum are read or refused', async () => {
  const outcomes = new Set<string>();
  for (let round = 0; round < 1500; round++) {
    const bytes = withHeader((header) => {
      for (let change = randomInt(1, 6); change > 0; change--) {
        const at = randomInt(2) === 0 ? SIZE.offset + randomInt(SIZE.length) : randomInt(BLOCK_BYTES);
        const characters = Buffer.from('01-7 \0+x.e');
        header[at] = randomInt(3) === 0 ? randomInt(256) : characters[randomInt(characters.length)]!;
      }
      if (randomInt(4) === 0) randomBytes(SIZE.length).copy(header, SIZE.offset);
    });
    outcomes.add(await outcomeOf(bytes));
  }
  assert.deepEqual([...outcomes].sort(), ['bundle_invalid', 'valid']);
});

test('an artefact whose document is hostile fails alone, and a manifest that is none fails the import', async () => {
  const at = valid.lastIndexOf('berth.json');
  const size = parseInt(valid.toString('latin1', at + SIZE.offset, at + SIZE.offset + SIZE.length), 8);
  const text = valid.toString('utf8', at + BLOCK_BYTES, at + BLOCK_BYTES + size);
  const withManifest = (manifest: string) => {
    const header = Buffer.from(valid.subarray(at, at + BLOCK_BYTES));
    const content = Buffer.from(manifest);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, SIZE.offset, 'latin1');
    sign(header);
    const end = Buffer.alloc(((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES) + 2 * BLOCK_BYTES);
    return Buffer.concat([valid.subarray(0, at), header, content, end]);
  };
  for (const manifest of [
    '',
    '[]',
    'null',
    '{"berthBundle":1}',
    `{"artefacts":[${'['.repeat(100_000)}`,
    text.slice(1),
  ]) {
    await writeFile(path, withManifest(manifest));
    await assert.rejects(importArtefacts(envOf(target), path), { code: 'bundle_invalid' }, manifest.slice(0, 40));
  }
  const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
  const hostile = text.replace('"category": "other"', `"category": "other", "processingConfigSchema": ${deep}`);
  assert.notEqual(hostile, text);
  await writeFile(path, withManifest(hostile));
  const report = await importArtefacts(envOf(target), path);
  assert.deepEqual([report.updated, report.failed], [1, 1]);
  assert.match(report.problems[0]?.reason ?? '', /processingConfigSchema/);
  assert.equal(await documentOf(target, report.problems[0]?.id ?? ''), undefined);
});
