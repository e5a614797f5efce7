import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Artefact, Slot } from '../../src/artefacts/artefact.ts';
import {
  assertArchitecture,
  assertArtefactId,
  assertCategory,
  assertFileName,
  filePath,
  fold,
  lastUploaded,
  monotonicDate,
  nextDataDates,
  npmPath,
  searchPatterns,
  searchText,
  slotFor,
  slotForDownload,
} from '../../src/artefacts/operations.ts';
import type { BerthError } from '../../src/errors.ts';
import { sampleArtefact, sampleSlot } from './samples.ts';

const CATEGORIES = ['processing', 'catalog', 'application', 'tileset', 'maplibre-style', 'other'];
const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('an artefact id', () => {
  test('is accepted if it is safe as a path', () => {
    for (const id of [
      'a',
      '@acme/import-gpkg@1',
      'x'.repeat(256),
      'with space',
      'été/日本',
      '...',
      '.hidden',
      'a..b',
      'NPM',
      'npm/x',
      'groups2',
      'a%2Fb',
      `'";--`,
      '😀',
      'a\u00a0b',
      'nai\u0308ve',
    ])
      assertArtefactId(id);
  });

  test('is rejected if it looks like another one, and the character is named', () => {
    const invisible = Array.from({ length: 0x11_0000 }, (_value, code) => code)
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => String.fromCodePoint(code))
      .filter((character) => /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/u.test(character));
    assert.ok(invisible.includes('\u200b') && invisible.includes('\u202e') && invisible.length > 4000);
    for (const character of invisible) {
      const name = `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
      for (const id of [`@acme/foo${character}@1`, `${character}a`, `a${character}`])
        assert.throws(
          () => assertArtefactId(id),
          ({ code, message }: BerthError) => code === 'artefact_id_invalid' && message.includes(name),
          name,
        );
    }
    for (const id of [' a', 'a ', 'a\u00a0', '\u2003a', 'a\u3000'])
      assert.throws(() => assertArtefactId(id), { code: 'artefact_id_invalid' }, JSON.stringify(id));
  });

  for (const [why, ids] of Object.entries({
    'reserved': ['npm', 'file', 'groups'],
    'empty or too long': ['', 'x'.repeat(257)],
    'path traversal': ['.', '..', './a', 'a/..', 'a/../b', 'a/./b'],
    'with an empty part': ['/', '/a', 'a/', 'a//b'],
    'with a backslash': ['\\', 'a\\b'],
    'with a control character': ['a\nb', 'a\0', '\u007f', 'a\u0085b', '\t'],
    'an unpaired surrogate': ['a\ud800', '\udc00'],
  })) {
    test(`is rejected: ${why}`, () => {
      for (const id of ids)
        assert.throws(() => assertArtefactId(id), { code: 'artefact_id_invalid', status: 400 }, JSON.stringify(id));
    });
  }
});

test('an architecture has lower-case letters, digits, ., _ and -, and starts with a letter or digit', () => {
  for (const name of ['x64', 'noarch', 'linux-x64-musl', '0', 'a.b_c-d', 'a'.repeat(64)]) assertArchitecture(name);
  for (const name of ['', 'X64', '-x64', '.x64', '_', 'x 64', 'x64/', 'x64\n', 'é', 'a'.repeat(65)]) {
    assert.throws(() => assertArchitecture(name), { code: 'architecture_invalid', status: 400 }, JSON.stringify(name));
  }
});

test("a category is one of the registry's, and for a file not an executable one", () => {
  for (const category of CATEGORIES) assertCategory(category, 'npm', CATEGORIES);
  for (const category of ['tileset', 'maplibre-style', 'other']) assertCategory(category, 'file', CATEGORIES);
  for (const category of ['', 'Processing', 'unknown', 'toString'])
    assert.throws(
      () => assertCategory(category, 'npm', CATEGORIES),
      { code: 'category_invalid', status: 400 },
      category,
    );
  for (const category of ['processing', 'catalog', 'application'])
    assert.throws(() => assertCategory(category, 'file', CATEGORIES), { code: 'category_invalid' }, category);
});

test('a file name has no slash, backslash or control character, and at most 255 bytes', () => {
  for (const name of ['a', 'france.mbtiles', '.hidden', 'é'.repeat(127), 'with space']) assertFileName(name);
  // Right to left with a zero width joiner, as in Persian, or with its marks: the text is not reordered.
  for (const name of ['\u0645\u06cc\u200c\u062e.pdf', '\u200f\u05d0.txt']) assertFileName(name);
  for (const name of [
    ...['', '.', '..', 'a/b', 'a\\b', 'a\0b', 'a\nb', 'é'.repeat(128), 'a\ud800'],
    ...Array.from('\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069', (mark) => `a${mark}gpj.exe`),
  ]) {
    assert.throws(() => assertFileName(name), { code: 'file_name_invalid', status: 400 }, JSON.stringify(name));
  }
});

test('wire paths contain the slot and 16 digits of the digest, and are relative', () => {
  assert.equal(npmPath('@acme/import-gpkg@1', 'x64', DIGEST), 'npm/@acme/import-gpkg@1/x64-0123456789abcdef.tgz');
  assert.equal(filePath('maps/france', 'france.mbtiles', DIGEST), 'files/maps/france/0123456789abcdef-france.mbtiles');
  assert.equal(filePath('maps/france', 'maps/france', DIGEST), 'files/maps/france/0123456789abcdef-maps-france');
});

describe('the slot that a client gets', () => {
  const slot = (architecture: string, minute: number): Slot =>
    sampleSlot({ architecture, uploadedAt: `2026-01-01T00:0${minute}:00.000Z` });
  const [noarch, x64, arm64, file] = [slot('noarch', 1), slot('x64', 3), slot('arm64', 2), slot('', 0)] as const;

  test('from /tarball is its own, else noarch, else none', () => {
    assert.equal(slotFor([noarch, x64], 'x64'), x64);
    assert.equal(slotFor([noarch, x64], 'arm64'), noarch);
    assert.equal(slotFor([noarch, x64], undefined), noarch);
    assert.equal(slotFor([x64, arm64], 'riscv64'), undefined);
    assert.equal(slotFor([x64, arm64], undefined), undefined);
    assert.equal(slotFor([], 'x64'), undefined);
  });

  test('from /download is its own, else noarch, else the one uploaded last', () => {
    assert.equal(slotForDownload([noarch, x64, arm64], 'arm64'), arm64);
    assert.equal(slotForDownload([noarch, x64, arm64], 'riscv64'), noarch);
    assert.equal(slotForDownload([x64, arm64], 'riscv64'), x64);
    assert.equal(slotForDownload([arm64, x64], undefined), x64);
    assert.equal(slotForDownload([file], 'x64'), file);
    assert.equal(slotForDownload([], undefined), undefined);
  });

  test('uploaded last is the same for any order of slots', () => {
    assert.equal(lastUploaded([noarch, x64, arm64]), x64);
    assert.equal(lastUploaded([x64, arm64, noarch]), x64);
    assert.equal(lastUploaded([]), undefined);
  });
});

describe('dates', () => {
  const NOW = new Date('2026-01-01T12:00:00.500Z');
  const before = (changes: Partial<Artefact>) => sampleArtefact(changes);

  test('of a first upload are the current time', () => {
    assert.deepEqual(nextDataDates(undefined, NOW), {
      updatedAt: NOW.toISOString(),
      dataUpdatedAt: NOW.toISOString(),
      lastModifiedSeconds: Date.parse('2026-01-01T12:00:00Z') / 1000,
    });
  });

  test('of an upload advance by at least 1 ms, and Last-Modified by 1 s, whatever the clock says', () => {
    const seconds = Date.parse('2026-01-01T12:00:00Z') / 1000;
    const previous = before({
      updatedAt: '2026-01-01T12:00:00.500Z',
      dataUpdatedAt: '2026-01-01T12:00:00.100Z',
      lastModifiedSeconds: seconds,
    });
    assert.deepEqual(nextDataDates(previous, NOW), {
      updatedAt: '2026-01-01T12:00:00.501Z',
      dataUpdatedAt: '2026-01-01T12:00:00.501Z',
      lastModifiedSeconds: seconds + 1,
    });
    const future = before({
      updatedAt: '2026-01-01T12:00:00.000Z',
      dataUpdatedAt: '2027-06-01T00:00:00.999Z',
      lastModifiedSeconds: seconds + 5,
    });
    const dates = nextDataDates(future, NOW);
    assert.equal(dates.dataUpdatedAt, '2027-06-01T00:00:01.000Z');
    assert.equal(dates.updatedAt, dates.dataUpdatedAt);
    assert.equal(dates.lastModifiedSeconds, Date.parse('2027-06-01T00:00:01Z') / 1000);
  });

  test('increase with each of many uploads in one second', () => {
    let artefact = before(nextDataDates(undefined, NOW));
    for (let index = 0; index < 50; index++) {
      const next = nextDataDates(artefact, NOW);
      assert.ok(next.dataUpdatedAt > artefact.dataUpdatedAt);
      assert.equal(next.lastModifiedSeconds, artefact.lastModifiedSeconds + 1);
      artefact = { ...artefact, ...next };
    }
  });

  test('of an edit are the current time, or 1 ms after the last date', () => {
    assert.equal(monotonicDate(NOW), '2026-01-01T12:00:00.500Z');
    assert.equal(monotonicDate(NOW, undefined, '2026-01-01T12:00:00.499Z'), '2026-01-01T12:00:00.500Z');
    assert.equal(monotonicDate(NOW, '2026-01-01T12:00:00.500Z'), '2026-01-01T12:00:00.501Z');
  });
});

describe('search', () => {
  test('folds case, accents and ligatures', () => {
    assert.equal(fold('ÉTÉ Çà et là'), 'ete ca et la');
    assert.equal(fold('Cœur Ægir STRAẞE straße'), 'coeur aegir strasse strasse');
    assert.equal(fold('ＡＢＣ ﬁn İstanbul'), 'abc fin istanbul');
    for (const text of ['e\u0301te\u0301', 'été', 'ÉTÉ']) assert.equal(fold(text), 'ete');
  });

  test('covers id, package name, title and description', () => {
    const artefact = sampleArtefact({
      id: '@Acme/Import',
      packageName: 'acme-pkg',
      title: { fr: 'Été', en: 'Summer' },
      description: { en: 'Maps' },
      group: { en: 'hidden' },
    });
    assert.equal(searchText(artefact), '  @  acme/  import\n  acme-  pkg\n  ete\n  summer\n  maps'.trimStart());
  });

  test('splits words at white space and drops duplicates', () => {
    assert.deepEqual(searchPatterns('  Été  import\tÉTÉ\u00a0 gpkg\n'), ['ete', 'import', 'gpkg']);
    assert.deepEqual(searchPatterns(' \n'), []);
    assert.deepEqual(searchPatterns('@acme/import-gpkg@1 x gp'), ['@  acme/  import-  gpkg@  1', '  x', ' gp']);
  });
});
