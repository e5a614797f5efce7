// What an upload refuses, a mirror refuses: generated field values are given to the validation of both.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { Value } from 'typebox/value';
import {
  assertArchitecture,
  assertArtefactId,
  assertCategory,
  assertFileName,
} from '../../src/artefacts/operations.ts';
import { PatchSchema } from '../../src/artefacts/schemas.ts';
import { readManifest } from '../../src/tarballs/manifest.ts';
import { documentOf, readUpstreamArtefact, type UpstreamArtefact } from '../../src/upstream/index.ts';

const CATEGORIES = ['processing', 'tileset', 'other'];
const RULES = { categories: CATEGORIES };
const INVALID = { code: 'remote_answer_invalid' };
const SLOT = { size: 3, digest: `sha256:${'a'.repeat(64)}`, version: '1.0.0', uploadedAt: '2026-01-01T00:00:00.000Z' };
const NPM = {
  _id: 'a',
  format: 'npm',
  packageName: 'a',
  version: '1.0.0',
  category: 'other',
  tarballs: { noarch: SLOT },
};
const FILE = { _id: 'a', format: 'file', category: 'other', fileName: 'a.bin', size: 3, digest: SLOT.digest };
const MANIFEST = { name: 'a', version: '1.0.0' };

const read = (document: object) => readUpstreamArtefact(document, RULES);

function nested(depth: number): unknown {
  return JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);
}

/** Values of any type, and texts on both sides of each limit. */
const HOSTILE: unknown[] = [
  ...[
    0,
    1,
    -1,
    1.5,
    1e300,
    true,
    false,
    [],
    {},
    ['x'],
    { fr: 'x' },
    { en: 1 },
    { fr: null, en: 'x' },
    { type: 'MIT' },
  ],
  ...[nested(99), nested(101), nested(20_000), { a: 'x'.repeat(65_000) }, { a: 'x'.repeat(66_000) }],
  ...[
    'x',
    ' x',
    'x ',
    'x\u0000',
    'x\r\nset-cookie: a=b',
    'é',
    '\u{1f6a2}',
    '\ud800',
    'x\u202ey',
    '<script>',
    '../x',
    '.',
  ],
  ...['1.0.0', 'v1.0.0', '=1.0.0', '1.0', '1.0.0-a.1+b', '1.0.0\n', '1.0.0-\u00e9', '99999999999999999.0.0'],
  ...['http://x', 'https://example.org/a', 'javascript:alert(1)', 'HTTP://X', 'http:', 'data:text/html,x', 'ftp://x'],
  ...['processing', 'tileset', 'unknown', 'x64', 'X64', 'noarch', 'npm', '__proto__', 'a/b', 'a\\b', 'a//b'],
  ...[214, 215, 255, 256, 257, 2000, 2001, 2048, 2049, 20_000, 20_001, 100_000].map((length) => 'x'.repeat(length)),
  ...[2040, 2041].map((length) => `http://${'x'.repeat(length)}`),
];

/** More values, from pieces of the others. */
function* values(): Generator<unknown> {
  yield* HOSTILE;
  const texts = HOSTILE.filter((value) => typeof value === 'string' && value.length < 300) as string[];
  for (let round = 0; round < 400; round++)
    yield (
      texts[randomInt(texts.length)]! +
      ['', ' ', '.', '/', '-1', '\u200b'][randomInt(6)]! +
      texts[randomInt(texts.length)]!
    );
}

function accepts(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

interface Field {
  name: string;
  /** The document of a mirror with the value. */
  document: (value: unknown) => object;
  /** The same value in an upload; throws if it is refused. */
  upload: (value: unknown) => unknown;
  /** What the mirror stores; undefined: nothing. */
  stored: (artefact: UpstreamArtefact) => unknown;
}

const manifestField = (name: 'processingConfigSchema' | 'applicationConfigSchema' | 'documentation'): Field => ({
  name,
  document: (value) => ({ ...NPM, [name]: value }),
  upload: (value) => readManifest({ ...MANIFEST, registry: { [name]: value } }),
  stored: (artefact) => artefact[name],
});
/** Compared with a patch: upload forms have no group, and shorter descriptions. */
const localisedField = (name: 'title' | 'description' | 'group'): Field => ({
  name,
  document: (value) => ({ ...NPM, [name]: value }),
  upload: (value) => {
    assert.ok(Value.Check(PatchSchema, { [name]: value }));
    return value;
  },
  stored: (artefact) => artefact[name],
});

const FIELDS: Field[] = [
  manifestField('processingConfigSchema'),
  manifestField('applicationConfigSchema'),
  manifestField('documentation'),
  localisedField('title'),
  localisedField('description'),
  localisedField('group'),
  {
    name: 'packageName',
    document: (value) => ({ ...NPM, packageName: value }),
    upload: (value) => readManifest({ ...MANIFEST, name: value }),
    stored: ({ packageName }) => packageName,
  },
  {
    name: 'version',
    document: (value) => ({ ...NPM, version: value }),
    upload: (value) => readManifest({ ...MANIFEST, version: value }),
    stored: ({ version }) => version,
  },
  {
    name: 'version of a slot',
    document: (value) => ({ ...NPM, tarballs: { noarch: { ...SLOT, version: value } } }),
    upload: (value) => readManifest({ ...MANIFEST, version: value }),
    stored: ({ slots }) => slots[0]?.version,
  },
  {
    name: 'licence',
    document: (value) => ({ ...NPM, licence: value }),
    upload: (value) => {
      assert.equal(readManifest({ ...MANIFEST, license: value }).licence, value);
    },
    stored: ({ licence }) => licence,
  },
  {
    name: 'packageDescription',
    document: (value) => ({ ...NPM, packageDescription: value }),
    upload: (value) => {
      assert.equal(readManifest({ ...MANIFEST, description: value }).packageDescription, value);
    },
    stored: ({ packageDescription }) => packageDescription,
  },
  {
    name: 'keywords',
    document: (value) => ({ ...NPM, keywords: value }),
    upload: (value) => {
      assert.deepEqual(readManifest({ ...MANIFEST, keywords: value }).keywords, value);
    },
    stored: ({ keywords }) => keywords,
  },
  ...(['repository', 'homepage', 'issues'] as const).map((link) => ({
    name: `the link to the ${link}`,
    document: (value: unknown) => ({ ...NPM, links: { [link]: value } }),
    upload: (value: unknown) => {
      assert.equal(readManifest({ ...MANIFEST, homepage: value }).links?.homepage, value);
    },
    stored: ({ links }: UpstreamArtefact) => links?.[link],
  })),
  ...(['npm', 'file'] as const).map((format) => ({
    name: `category of format ${format}`,
    document: (value: unknown) => ({ ...(format === 'npm' ? NPM : FILE), category: value }),
    upload: (value: unknown) => {
      readManifest({ ...MANIFEST, registry: { category: value } });
      assertCategory(value as string, format, CATEGORIES);
    },
    stored: ({ category }: UpstreamArtefact) => category,
  })),
  {
    name: 'fileName',
    document: (value) => ({ ...FILE, fileName: value }),
    upload: (value) => {
      assertFileName(value as string);
    },
    stored: ({ slots }) => slots[0]?.fileName,
  },
  {
    name: '_id',
    document: (value) => ({ ...FILE, fileName: 'a.bin', _id: value }),
    upload: (value) => {
      assertArtefactId(value as string);
    },
    stored: ({ id }) => id,
  },
  {
    name: 'architecture',
    document: (value) => ({ ...NPM, tarballs: JSON.parse(`{${JSON.stringify(String(value))}:{}}`) as object }),
    upload: (value) => {
      assertArchitecture(String(value));
    },
    stored: ({ slots }) => slots[0]?.architecture,
  },
];

describe('what an upload refuses, a mirror refuses:', () => {
  for (const { name, document, upload, stored } of FIELDS) {
    test(name, () => {
      let [refused, accepted] = [0, 0];
      for (const value of values()) {
        const shown = inspect(value).slice(0, 80);
        if (accepts(() => upload(value))) {
          accepted++;
          continue;
        }
        refused++;
        let artefact: UpstreamArtefact;
        try {
          artefact = read(document(value));
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'remote_answer_invalid', shown);
          assert.ok((error as Error).message.length < 700 && !/[\r\n\0]/.test((error as Error).message), shown);
          continue;
        }
        // A value may also be read as another one, such as a text without a language, which an upload accepts.
        const result = stored(artefact);
        assert.ok(result === undefined || accepts(() => upload(result)), `${shown} is stored as ${inspect(result)}`);
      }
      assert.ok(refused > 0 && accepted > 0, `${refused} refused, ${accepted} accepted`);
    });
  }
});

describe('sizes, digests, dates and flags of a mirror are safe:', () => {
  const slotWith = (field: string, value: unknown) => ({ ...NPM, tarballs: { noarch: { ...SLOT, [field]: value } } });

  test('size', () => {
    for (const size of [-1, 1.5, 2 ** 53, 1e300, -0.5, '3', true, [], {}])
      for (const document of [slotWith('size', size), { ...FILE, size }]) assert.throws(() => read(document), INVALID);
    assert.equal(read({ ...FILE, size: 2 ** 53 - 1 }).slots[0]?.sizeBytes, 2 ** 53 - 1);
  });

  test('digest', () => {
    for (const digest of ['sha256:x', 'md5:x', `sha256:${'A'.repeat(64)}`, 1, {}, `sha256:${'a'.repeat(64)}\n`])
      assert.throws(() => read(slotWith('digest', digest)), INVALID, inspect(digest));
  });

  test('dates', () => {
    const tooEarlyOrLate = ['+275760-09-13T00:00:00.000Z', '-000001-01-01T00:00:00Z', '1969-12-31T00:00:00Z'];
    for (const date of ['x', 1, {}, ...tooEarlyOrLate]) {
      for (const field of ['dataUpdatedAt', 'updatedAt'])
        assert.throws(
          () => read({ ...FILE, [field]: date, ...(field === 'updatedAt' && { dataUpdatedAt: null }) }),
          INVALID,
        );
      assert.throws(() => read(slotWith('uploadedAt', date)), INVALID, inspect(date));
    }
    assert.match(
      read({ ...FILE, dataUpdatedAt: '2026-01-31T12:00:00+01:00' }).dataUpdatedAt,
      /^2026-01-31T11:00:00\.000Z$/,
    );
  });

  test('slots', () => {
    const tarballs = Object.fromEntries(Array.from({ length: 101 }, (_unused, at) => [`a${at}`, SLOT]));
    assert.throws(() => read({ ...NPM, tarballs }), INVALID);
    for (const value of [null, 1, 'x', []]) assert.throws(() => read({ ...NPM, tarballs: { x64: value } }), INVALID);
    for (const value of [1, 'x', [SLOT]]) assert.throws(() => read({ ...NPM, tarballs: value }), INVALID);
  });
});

test('an artefact survives being rendered as a document and read again', () => {
  const schema = { type: 'object' };
  const title = { fr: 'é', en: 'e' };
  for (const document of [
    { ...NPM, title, processingConfigSchema: schema, thumbnail: { id: 'x', width: 1, height: 2 }, deprecated: true },
    { ...NPM, tarballs: { x64: SLOT, arm64: { ...SLOT, hasNativeModules: true } }, origin: 'https://example.org' },
    { _id: 'b', format: 'npm', name: '@acme/b', version: '1.0.0', size: 3, hasNativeModules: true },
    { ...NPM, packageDescription: 'x', keywords: ['a'], links: { homepage: 'https://example.org' } },
    { ...FILE, uploadedAt: '2026-01-01T00:00:00.000Z', description: title },
  ]) {
    const artefact = read(document);
    assert.deepEqual(read(JSON.parse(JSON.stringify(documentOf(artefact))) as object), artefact);
  }
});
