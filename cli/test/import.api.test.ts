import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { packSample } from '../../scripts/sample.ts';
import { INTERNAL_SECRET, startTestRegistry, type TestRegistry } from './test-registry.ts';

interface Report {
  results: { artefactId: string; status: string; metadata: string[]; reason?: string }[];
  grants: { status: string }[];
  isComplete: boolean;
}
interface Document {
  public: boolean;
  privateAccess: object[];
  title?: object;
  group?: object;
  category: string;
  thumbnail?: object;
  deprecated: boolean;
  tarballs?: Record<string, { digest: string; version: string }>;
  digest?: string;
  fileName?: string;
}

const HELLO = '@data-fair/processing-hello-world@0';
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);

describe('berth import', () => {
  let registry: TestRegistry;
  let source: string;
  const env = { BERTH_SECRET_KEY: INTERNAL_SECRET };
  before(async () => {
    registry = await startTestRegistry();
    source = join(registry.scratch, 'source');
    mkdirSync(join(source, '@data-fair'), { recursive: true });
    cpSync(
      join(repositoryRoot, 'node_modules/@data-fair/processing-hello-world'),
      join(source, '@data-fair/processing-hello-world'),
      { recursive: true },
    );
    writeFileSync(
      join(source, '@data-fair/processing-hello-world.berth.json'),
      JSON.stringify({
        category: 'processing',
        title: { en: 'Hello', fr: 'Bonjour' },
        group: { en: 'Samples' },
        privateAccess: [{ type: 'organization', id: 'acme' }],
        thumbnail: '../hello.png',
      }),
    );
    writeFileSync(join(source, 'hello.png'), PIXEL);
    writeFileSync(join(source, 'hello.png.berth.json'), JSON.stringify({ artefactId: 'picture', public: true }));
    mkdirSync(join(source, 'broken'));
    writeFileSync(join(source, 'broken/package.json'), 'no JSON at all');
    cpSync(await packSample(mkdtempSync(join(registry.scratch, 'sample-'))), join(source, 'packed.tgz'));
    writeFileSync(
      join(source, 'packed.berth.json'),
      JSON.stringify({ artefactId: 'packed@1', architecture: 'x64', deprecated: true }),
    );
    writeFileSync(join(source, 'grants.json'), JSON.stringify([{ type: 'organization', id: 'acme' }]));
  });
  after(() => registry.stop());

  const run = async (words: string[], to = registry) => {
    const { status, stdout, stderr } = await registry.berth(
      ['import', ...words, '--url', to.url, '--json', '--quiet'],
      { env },
    );
    return { status, stderr, report: stdout === '' ? undefined : (JSON.parse(stdout) as Report) };
  };
  const read = async (id: string, from = registry) =>
    (await (
      await fetch(`${from.url}/api/v1/artefacts/${encodeURIComponent(id)}`, {
        headers: { 'x-secret-key': INTERNAL_SECRET },
      })
    ).json()) as Document;

  test('uploads the artefacts of a directory with their metadata; a broken one does not stop the others', async () => {
    const { status, report } = await run([source]);
    assert.equal(status, 1);
    assert.deepEqual(
      report?.results.map((it) => [it.artefactId, it.status, it.metadata]),
      [
        [HELLO, 'uploaded', ['title', 'group', 'privateAccess', 'thumbnail']],
        ['broken', 'failed', []],
        ['picture', 'uploaded', ['public']],
        ['packed@1', 'uploaded', ['deprecated']],
      ],
    );
    assert.match(report.results[1]?.reason ?? '', /package\.json/);
    assert.deepEqual([report.isComplete, report.grants.map((it) => it.status)], [false, ['granted']]);
    const hello = await read(HELLO);
    assert.deepEqual(
      [hello.category, hello.title, hello.group, hello.public, hello.privateAccess],
      ['processing', { en: 'Hello', fr: 'Bonjour' }, { en: 'Samples' }, false, [{ type: 'organization', id: 'acme' }]],
    );
    assert.ok(hello.thumbnail);
    assert.equal(hello.tarballs?.['noarch']?.version, '0.13.0');
    assert.deepEqual(Object.keys((await read('packed@1')).tarballs ?? {}), ['x64']);
  });

  test('leaves existing content and later edits unchanged', async () => {
    const before = (await read(HELLO)).tarballs?.['noarch']?.digest;
    await fetch(`${registry.url}/api/v1/artefacts/${encodeURIComponent(HELLO)}`, {
      method: 'PATCH',
      headers: { 'x-secret-key': INTERNAL_SECRET, 'content-type': 'application/json' },
      body: JSON.stringify({ title: { en: 'Curated' }, group: null, privateAccess: [] }),
    });
    rmSync(join(source, 'broken'), { recursive: true });
    const { status, report } = await run([source]);
    assert.equal(status, 0);
    assert.deepEqual(
      report?.results.map((it) => [it.artefactId, it.status, it.metadata]),
      [
        [HELLO, 'present', []],
        ['picture', 'present', []],
        ['packed@1', 'present', []],
      ],
    );
    assert.deepEqual([report.isComplete, report.grants.map((it) => it.status)], [true, ['present']]);
    const hello = await read(HELLO);
    assert.deepEqual(
      [hello.title, hello.group, hello.privateAccess, hello.tarballs?.['noarch']?.digest],
      [{ en: 'Curated' }, undefined, [], before],
    );
  });

  test('sets the metadata if an earlier run was interrupted after the upload', async () => {
    const form = new FormData();
    form.set('file', new Blob(['tiles']), 'cut');
    await fetch(`${registry.url}/api/v1/artefacts/file/cut`, {
      method: 'POST',
      headers: { 'x-secret-key': INTERNAL_SECRET },
      body: form,
    });
    const folder = join(registry.scratch, 'cut');
    mkdirSync(folder);
    writeFileSync(join(folder, 'cut'), 'tiles');
    writeFileSync(join(folder, 'cut.berth.json'), JSON.stringify({ title: { en: 'Cut' }, public: true }));
    const { report } = await run([folder]);
    assert.deepEqual(
      report?.results.map((it) => [it.status, it.metadata]),
      [['present', ['title', 'public']]],
    );
    rmSync(folder, { recursive: true });
    await fetch(`${registry.url}/api/v1/artefacts/cut`, {
      method: 'DELETE',
      headers: { 'x-secret-key': INTERNAL_SECRET },
    });
    await fetch(`${registry.url}/api/v1/artefacts/${encodeURIComponent(HELLO)}`, {
      method: 'PATCH',
      headers: { 'x-secret-key': INTERNAL_SECRET, 'content-type': 'application/json' },
      body: JSON.stringify({ privateAccess: [{ type: 'organization', id: 'acme' }] }),
    });
  });

  test('reports metadata that the registry does not accept, and succeeds without it', async () => {
    const folder = join(registry.scratch, 'awkward');
    mkdirSync(folder);
    writeFileSync(join(folder, 'awkward'), 'bytes');
    const metadata = { title: { en: 'Awkward' }, documentation: 'see the wiki', category: 'old' };
    writeFileSync(join(folder, 'awkward.berth.json'), JSON.stringify(metadata));
    const { status, stdout } = await registry.berth(['import', folder, '--url', registry.url, '--quiet'], { env });
    assert.equal(status, 0);
    const [first, second, ...lines] = stdout.trim().split('\n');
    assert.equal(first, 'Uploaded 1 slot; 0 already present.');
    assert.equal(second, 'Left out, since the registry does not accept it:');
    assert.equal(lines.length, 2);
    assert.match(lines.join('\n'), /^ {2}awkward: category: .+\n {2}awkward: documentation: .+$/);
    assert.deepEqual((await read('awkward')).title, { en: 'Awkward' });
    const remove = { method: 'DELETE', headers: { 'x-secret-key': INTERNAL_SECRET } };
    await fetch(`${registry.url}/api/v1/artefacts/awkward`, remove);
  });

  test('a plug-in that was packed from a directory runs after a pull', async () => {
    const { status, stdout } = await registry.berth([
      'pull',
      HELLO,
      '--url',
      registry.url,
      '--quiet',
      '--api-key',
      await registry.readKey(),
    ]);
    assert.equal(status, 0);
    assert.equal(typeof (createRequire(import.meta.url)(stdout.trim()) as { run: unknown }).run, 'function');
  });

  test('copies the artefacts that another registry lists, once', async () => {
    const other = await startTestRegistry();
    try {
      const copyEnv = { ...env, BERTH_FROM_API_KEY: await registry.readKey() };
      const copy = async () =>
        JSON.parse(
          (
            await registry.berth(['import', '--from', registry.url, '--url', other.url, '--json', '--quiet'], {
              env: copyEnv,
            })
          ).stdout,
        ) as Report;
      const first = await copy();
      assert.deepEqual(
        first.results.map((it) => [it.artefactId, it.status]),
        [
          [HELLO, 'uploaded'],
          ['picture', 'uploaded'],
        ],
      );
      const [original, copied] = [await read(HELLO), await read(HELLO, other)];
      assert.equal(copied.tarballs?.['noarch']?.digest, original.tarballs?.['noarch']?.digest);
      assert.deepEqual([copied.title, copied.category], [original.title, original.category]);
      assert.ok(copied.thumbnail);
      assert.deepEqual(
        [(await read('picture', other)).fileName, (await read('picture', other)).digest],
        ['hello.png', (await read('picture')).digest],
      );
      assert.deepEqual(
        (await copy()).results.map((it) => [it.artefactId, it.status]),
        [
          [HELLO, 'present'],
          ['picture', 'present'],
        ],
      );
    } finally {
      await other.stop();
    }
  });

  test('reports missing parameters and settings', async () => {
    const outcome = async (words: string[], outcomeEnv: Record<string, string> = env) => {
      const { status, stderr } = await registry.berth(['import', ...words], { env: outcomeEnv });
      return [status, stderr.trim()];
    };
    assert.deepEqual(await outcome([]), [
      2,
      'berth import: expected either DIRECTORY or --from URL; see berth import --help',
    ]);
    assert.deepEqual(await outcome([source]), [
      2,
      'berth import: missing registry: set --url or BERTH_URL; see berth import --help',
    ]);
    assert.deepEqual(await outcome([source, '--url', registry.url], {}), [
      1,
      'berth import: BERTH_SECRET_KEY is not set: it must hold the internal secret of the registry',
    ]);
    assert.deepEqual((await outcome([join(source, 'nowhere'), '--url', registry.url]))[0], 1);
    const [status, text] = await outcome([source, '--url', registry.url], { BERTH_SECRET_KEY: 'wrong' });
    assert.equal(status, 1);
    assert.equal(text, '');
  });
});
