// Metadata of old plug-ins, which nobody ever checked: the content is uploaded in any case, and so is whatever the
// registry accepts.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { getArtefact, migratePlugins } from '../dist/index.js';
import type { Artefact, MigrationResult, PluginToMigrate } from '../dist/index.js';
import { startBerth } from './support/berth.ts';
import type { Berth } from './support/berth.ts';
import { chooseSeed, createRandom } from './support/random.ts';
import { makeDirectory, makeRegistry } from './support/setting.ts';

const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);
const ORGANISATION = { type: 'organization', id: 'acme' };
const LONG = 'x'.repeat(100_000);

interface Sample {
  value: unknown;
  /** What the registry has afterwards; undefined: nothing. */
  kept: unknown;
  /** Fields of the report that name what was dropped. */
  dropped: string[];
}
const fine = (value: unknown, kept = value): Sample => ({ value, kept, dropped: [] });
const bad = (value: unknown, ...dropped: string[]): Sample => ({ value, kept: undefined, dropped });
const partly = (value: unknown, kept: unknown, ...dropped: string[]): Sample => ({ value, kept, dropped });

const texts = (field: string): Sample[] => [
  fine({ fr: 'Texte' }),
  fine({ fr: 'Été', en: 'Summer' }),
  fine({ fr: null, en: 'Summer' }, { en: 'Summer' }),
  partly(null, undefined),
  bad('a plain text', field),
  bad(5, field),
  bad({ fr: LONG }, `${field}.fr`),
  bad({ fr: 'NUL \0', en: 7 }, `${field}.fr`, `${field}.en`),
  partly({ fr: LONG, en: 'Summer' }, { en: 'Summer' }, `${field}.fr`),
  partly({ fr: 'Été', de: 'Sommer' }, { fr: 'Été' }, `${field}.de`),
  partly({ fr: { text: 'Été' }, en: 'Summer', es: 'Verano' }, { en: 'Summer' }, `${field}.es`, `${field}.fr`),
];
const flags = (field: string): Sample[] => [
  fine(true),
  fine(false),
  fine(null, false),
  partly('true', false, field),
  partly(1, false, field),
];
const SAMPLES: Record<string, Sample[]> = {
  title: texts('title'),
  description: texts('description'),
  group: texts('group'),
  documentation: [
    fine('https://example.org/docs?x=1#y'),
    ...[
      'see the wiki',
      'mailto:a@example.org',
      'urn:a:b',
      'www.example.org',
      '',
      'http://a b',
      7,
      { fr: 'x' },
      [],
      LONG,
    ].map((value) => bad(value, 'documentation')),
  ],
  public: flags('public'),
  deprecated: flags('deprecated'),
  privateAccess: [
    fine([ORGANISATION, { type: 'user', id: 'ada', name: 'Ada' }]),
    fine(
      [{ ...ORGANISATION, department: 'geo', departmentName: 'Geography', role: 'admin' }],
      [{ ...ORGANISATION, department: 'geo' }],
    ),
    fine([], []),
    partly('everybody', [], 'privateAccess'),
    partly([{ type: 'group', id: 'x' }, ORGANISATION], [ORGANISATION], 'privateAccess.0'),
    partly(
      [ORGANISATION, null, { type: 'user' }, 'ada'],
      [ORGANISATION],
      ...[1, 2, 3].map((at) => `privateAccess.${at}`),
    ),
    partly([{ ...ORGANISATION, id: LONG }], [], 'privateAccess.0'),
  ],
  category: [
    fine('processing'),
    fine(null, 'other'),
    ...['', 'a category of the old service', 7, {}].map((value) => partly(value, 'other', 'category')),
  ],
  thumbnail: [
    fine('pixel.png'),
    bad('no-image.png', 'thumbnail'),
    bad('missing.png', 'thumbnail'),
    bad('.', 'thumbnail'),
  ],
};
const FIELDS = Object.keys(SAMPLES);

let berth: Berth;
before(async () => {
  berth = await startBerth();
});
after(async () => {
  await berth.close();
});

async function makePlugin(folder: string): Promise<string> {
  const path = join(folder, 'plugin');
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'package.json'), '{"name":"@acme/old","version":"1.0.0"}');
  await writeFile(join(folder, 'pixel.png'), PIXEL);
  await writeFile(join(folder, 'no-image.png'), 'no image');
  return path;
}

const readKept = (document: Artefact, field: string): unknown => {
  const value = (document as unknown as Record<string, unknown>)[field];
  return field === 'thumbnail' ? (value === undefined ? undefined : 'pixel.png') : value;
};

/** Migrates one plug-in for each choice of samples, and checks what became of each of its fields. */
async function assertMigrated(folder: string, choices: Record<string, Sample>[], prefix: string): Promise<void> {
  const path = await makePlugin(folder);
  const plugins = choices.map((choice, index) => {
    const fields = Object.entries(choice).map(([field, { value }]) => [
      field,
      field === 'thumbnail' ? join(folder, String(value)) : value,
    ]);
    return { artefactId: `${prefix}-${index}`, path, ...Object.fromEntries(fields) } as PluginToMigrate;
  });
  const registry = { registryUrl: berth.url, secretKey: berth.secretKey };
  const { results, isComplete } = await migratePlugins({ ...registry, plugins });
  assert.ok(isComplete);
  for (const [index, choice] of choices.entries()) {
    const result = results[index] as MigrationResult;
    const label = JSON.stringify([choice, result]).slice(0, 3000);
    const document = await getArtefact({ ...registry, artefactId: result.artefactId });
    assert.equal(result.status, 'uploaded', label);
    assert.equal(document.tarballs?.noarch?.version, '1.0.0', label);
    assert.deepEqual(
      (result.dropped ?? []).map(({ field }) => field).sort(),
      Object.values(choice)
        .flatMap(({ dropped }) => dropped)
        .sort(),
      label,
    );
    for (const { reason } of result.dropped ?? []) assert.ok(reason !== '' && !reason.includes('xxx'), label);
    for (const [field, { kept }] of Object.entries(choice)) assert.deepEqual(readKept(document, field), kept, label);
  }
}

test('each awkward value of each field costs that value only', async (t) => {
  const choices = FIELDS.flatMap((field) => (SAMPLES[field] ?? []).map((sample) => ({ [field]: sample })));
  await assertMigrated(await makeDirectory(t), choices, 'single');
});

test('any combination of awkward values costs those values only', async (t) => {
  const seed = chooseSeed();
  t.diagnostic(`BERTH_TEST_SEED=${seed}`);
  const random = createRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const choices = Array.from({ length: 25 }, () =>
    Object.fromEntries(FIELDS.map((field) => [field, pick(SAMPLES[field] ?? [])])),
  );
  await assertMigrated(await makeDirectory(t), choices, 'combined');
});

test('accounts of grants may have fields that a registry does not know', async () => {
  const { grants } = await migratePlugins({
    registryUrl: berth.url,
    secretKey: berth.secretKey,
    plugins: [],
    grants: [{ type: 'organization', id: 'granted', departmentName: 'Geography' } as never],
  });
  assert.deepEqual(
    grants.map(({ status }) => status),
    ['granted'],
  );
});

test('a registry that does not say which field it refuses gets them one by one', async (t) => {
  const registry = await makeRegistry(t);
  const folder = await makeDirectory(t);
  const path = await makePlugin(folder);
  const document: Record<string, unknown> = {};
  registry.misbehave((request, response) => {
    if (request.method !== 'PATCH') return false;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const changes = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
      if ('documentation' in changes)
        return void response.writeHead(400).end('/documentation must match format "uri"');
      Object.assign(document, changes);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
    return true;
  });
  const title = { en: 'Old' };
  const { results } = await migratePlugins({
    registryUrl: registry.url,
    plugins: [{ artefactId: 'old', path, title, documentation: 'the wiki', public: true }],
  });
  assert.deepEqual(document, { title, public: true });
  assert.deepEqual(results[0]?.metadata, ['title', 'public']);
  assert.match(results[0].dropped?.[0]?.reason ?? '', /must match format/);
});
