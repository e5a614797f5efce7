import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildTarball, npmTarball, type TarballEntry } from '../support/tarball-builder.ts';
import { MANIFEST, scanBytes } from './scan-bytes.ts';

async function readManifest(content: unknown): Promise<unknown> {
  const path = 'package/package.json';
  const text = typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content);
  return (await scanBytes(await buildTarball([{ path, content: text }]))).manifest;
}

async function scanManifests(...entries: TarballEntry[]): Promise<unknown> {
  return (await scanBytes(await buildTarball(entries))).manifest;
}

const valid = { name: '@acme/plugin', version: '1.0.0' };

test('all fields of package.json that describe the artefact are read', async () => {
  const registry = {
    category: 'processing',
    documentation: 'https://example.org/docs',
    processingConfigSchema: { type: 'object', properties: { a: {} } },
    applicationConfigSchema: {},
    other: 1,
  };
  assert.deepEqual(await readManifest({ ...valid, license: 'MIT', registry, dependencies: {} }), {
    ...valid,
    licence: 'MIT',
    category: 'processing',
    documentation: 'https://example.org/docs',
    processingConfigSchema: { type: 'object', properties: { a: {} } },
    applicationConfigSchema: {},
  });
  assert.deepEqual(await readManifest(valid), valid);
  assert.deepEqual(await readManifest({ ...valid, registry: {} }), valid);
});

test('the licence is read in every form that npm packages have used', async () => {
  const cases: [object, string | undefined][] = [
    [{ license: 'MIT' }, 'MIT'],
    [{ licence: 'EUPL-1.2' }, 'EUPL-1.2'],
    [{ license: 'MIT', licence: 'ISC' }, 'MIT'],
    [{ license: { type: 'BSD', url: 'https://example.org' } }, 'BSD'],
    [{ licenses: [{ type: 'MIT' }, 'Apache-2.0', 7] }, 'MIT OR Apache-2.0'],
    [{ licenses: [] }, undefined],
    [{ license: 7, licence: {} }, undefined],
    [{ license: 'x'.repeat(1000) }, undefined],
  ];
  for (const [fields, licence] of cases) {
    assert.deepEqual(
      await readManifest({ ...valid, ...fields }),
      licence === undefined ? valid : { ...valid, licence },
    );
  }
});

test('a manifest that is not a JSON object in UTF-8 is rejected', async () => {
  for (const content of [
    '',
    '{',
    'null',
    '[]',
    '"text"',
    '7',
    '{"name":"a","version":"1.0.0"',
    Buffer.from([0x7b, 0xff, 0x7d]),
    Buffer.from('{}', 'utf16le'),
    '['.repeat(100_000),
  ]) {
    await assert.rejects(readManifest(content), { code: 'manifest_invalid', status: 400 });
  }
});

test('a byte order mark before the manifest is accepted', async () => {
  assert.deepEqual(await readManifest(`\ufeff${JSON.stringify(valid)}`), valid);
});

test('a manifest without a valid name is rejected', async () => {
  for (const name of [undefined, null, 7, '', ' ', ' a', 'a\nb', 'a\0', 'x'.repeat(215), {}]) {
    await assert.rejects(readManifest({ ...valid, name }), { code: 'manifest_invalid' }, JSON.stringify(name));
  }
});

test('a version that is not semver is rejected', async () => {
  for (const version of [
    undefined,
    null,
    1,
    '',
    '1',
    '1.0',
    'v1.0.0',
    '=1.0.0',
    ' 1.0.0',
    '1.0.0 ',
    '01.0.0',
    '1.0.0-01',
    '1.0.0-',
    'latest',
    '^1.0.0',
    '1.0.0.0',
    `1.0.0-${'x'.repeat(300)}`,
  ]) {
    await assert.rejects(readManifest({ ...valid, version }), { code: 'manifest_invalid' }, JSON.stringify(version));
  }
  for (const version of ['0.0.0', '1.2.3-beta.1', '1.2.3+build.5', '1.2.3-rc.1+exp.sha.5114f85']) {
    assert.deepEqual(await readManifest({ ...valid, version }), { ...valid, version });
  }
});

test('a registry field that is no object belongs to another tool, and is ignored', async () => {
  for (const registry of ['jspm', '', [], null, 7, true])
    assert.deepEqual(await readManifest({ ...valid, registry }), valid, JSON.stringify(registry));
});

test('a field of package.json#registry of the wrong type is rejected, and named in the error', async () => {
  let deep: object = {};
  for (let level = 0; level < 200; level++) deep = { deep };
  const wrong: [unknown, string][] = [
    [{ category: 7 }, 'registry.category'],
    [{ category: '' }, 'registry.category'],
    [{ category: null }, 'registry.category'],
    [{ documentation: {} }, 'registry.documentation'],
    [{ documentation: 'see README' }, 'registry.documentation'],
    [{ documentation: 'javascript:alert(1)' }, 'registry.documentation'],
    [{ processingConfigSchema: 'x' }, 'registry.processingConfigSchema'],
    [{ processingConfigSchema: [] }, 'registry.processingConfigSchema'],
    [{ processingConfigSchema: deep }, 'registry.processingConfigSchema'],
    [{ applicationConfigSchema: true }, 'registry.applicationConfigSchema'],
  ];
  for (const [registry, field] of wrong) {
    await assert.rejects(readManifest({ ...valid, registry }), {
      code: 'manifest_invalid',
      message: new RegExp(`^${field} in package/package.json is .+, but it must be `),
    });
  }
});

test('a configuration schema has at most 64 KiB as JSON, and the error names the one that is larger', async () => {
  const empty = JSON.stringify({ a: '' }).length;
  // The limit counts bytes, not characters, and not the layout of package.json.
  const largest = { a: 'é'.repeat((64 * 1024 - empty) / 2) };
  for (const name of ['processingConfigSchema', 'applicationConfigSchema'] as const) {
    const spacious = JSON.stringify({ ...valid, registry: { [name]: largest } }, undefined, 2).replace(
      '{',
      '{'.padEnd(9999),
    );
    assert.deepEqual(await readManifest(spacious), { ...valid, [name]: largest });
    await assert.rejects(readManifest({ ...valid, registry: { [name]: { a: `${largest.a}é` } } }), {
      code: 'manifest_invalid',
      message: new RegExp(`^registry.${name} in .+ is an object of \\d+ bytes, .+ of at most 64 KiB: `),
    });
  }
});

test('a tarball without package/package.json is rejected', async () => {
  const elsewhere = MANIFEST.content ?? '';
  for (const entries of [
    [],
    [{ path: 'package/index.js' }],
    [{ path: 'package/lib/package.json', content: elsewhere }],
    [{ path: 'package/Package.json', content: elsewhere }],
  ]) {
    await assert.rejects(scanManifests(...entries), { code: 'manifest_missing', status: 400 });
  }
});

test('the manifest may come last, and its path may start with ./', async () => {
  assert.deepEqual(
    await scanManifests(
      { path: './package/' },
      { path: './package/index.js' },
      { ...MANIFEST, path: './package/package.json' },
    ),
    valid,
  );
});

test('a second manifest is rejected, in any spelling of its path', async () => {
  for (const path of [
    'package/package.json',
    './package/package.json',
    'package//package.json',
    'package/./package.json',
  ]) {
    await assert.rejects(
      scanManifests(MANIFEST, { ...MANIFEST, path }),
      { code: 'manifest_duplicate', status: 400 },
      path,
    );
    await assert.rejects(
      scanManifests({ ...MANIFEST, path }, { path: 'package/a' }, MANIFEST),
      { code: 'manifest_duplicate' },
      path,
    );
  }
  await assert.rejects(
    scanManifests(MANIFEST, { ...MANIFEST, path: 'package/a', pax: { path: 'package/package.json' } }),
    { code: 'manifest_duplicate' },
  );
});

test('a second spelling of the manifest, which is the same file where case is ignored, is reported', async () => {
  for (const path of ['Package.json', 'PACKAGE.JSON', 'package.jSon', 'pac\u212aage.json', 'package.j\u017fon']) {
    const other = { path: `package/${path}`, content: '{"name":"other","version":"9.9.9"}' };
    for (const entries of [
      [MANIFEST, other],
      [other, MANIFEST],
    ]) {
      const { manifest, warnings } = await scanBytes(await buildTarball(entries));
      assert.deepEqual(manifest, valid, path);
      assert.deepEqual(
        warnings.map(({ code, count, paths }) => ({ code, count, paths: paths.toSorted() })),
        [{ code: 'name_collision', count: 2, paths: [path, 'package.json'].toSorted() }],
      );
    }
  }
});

test('a package name with a character that cannot be seen is rejected', async () => {
  for (const name of ['a\u200bb', 'a\u202eb', '\u00ada', 'a\u3164'])
    await assert.rejects(readManifest({ ...valid, name }), { code: 'manifest_invalid' }, JSON.stringify(name));
});

test('a manifest that is a link or a directory is rejected', async () => {
  const other = { ...MANIFEST, path: 'package/other.json' };
  for (const entry of [
    { type: 'SymbolicLink', linkpath: 'other.json' },
    { type: 'Link', linkpath: 'package/other.json' },
    { type: 'Directory' },
  ] as const) {
    await assert.rejects(scanManifests(other, { path: 'package/package.json', ...entry }), {
      code: 'tarball_unsafe_entry',
    });
  }
  await assert.rejects(
    scanManifests(other, MANIFEST, { path: 'package/package.json', type: 'Link', linkpath: 'package/other.json' }),
    { code: 'tarball_unsafe_entry' },
  );
});

test('a manifest of 2 MiB is read, and a larger one is rejected', async () => {
  const limit = 2 * 1024 * 1024;
  const padded = (bytes: number): string => (MANIFEST.content as string).padEnd(bytes, ' ');
  assert.deepEqual(await readManifest(padded(limit)), valid);
  await assert.rejects(readManifest(padded(limit + 1)), { code: 'manifest_too_large', status: 413 });
});

test('Markdown is preferred among the READMEs of the package root, in any order and case', async () => {
  const readmeOf = async (...names: string[]): Promise<string | undefined> =>
    (await scanBytes(await npmTarball({ files: Object.fromEntries(names.map((name) => [name, `this is ${name}`])) })))
      .readme;
  assert.equal(await readmeOf('README', 'readme.md', 'README.txt'), 'this is readme.md');
  assert.equal(await readmeOf('Readme.Markdown', 'README.txt'), 'this is Readme.Markdown');
  assert.equal(await readmeOf('README.fr.md', 'README.md'), 'this is README.md');
  assert.equal(await readmeOf('README.txt'), 'this is README.txt');
  assert.equal(
    await readmeOf('docs/README.md', 'node_modules/dep/README.md', 'README/index.md', 'my-readme.md'),
    undefined,
  );
});

test('a long README is truncated at 512 KiB between two characters', async () => {
  const text = `x${'é'.repeat(300 * 1024)}`;
  const { readme, files } = await scanBytes(await npmTarball({ files: { 'README.md': text, 'after.txt': 'a' } }));
  assert.equal(readme, text.slice(0, 256 * 1024));
  assert.equal(files.at(-1)?.path, 'after.txt');
});

test('NUL characters of a README are dropped', async () => {
  assert.equal((await scanBytes(await npmTarball({ files: { README: '\ufeffa\0b' } }))).readme, 'ab');
});
