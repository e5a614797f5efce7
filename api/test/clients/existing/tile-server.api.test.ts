// Replays the requests of the tile server: lists of tilesets and styles, and their files, by the library that it has
// and by ours; also against the registry of its own tests, which has nothing but a list and downloads.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import * as ours from '@berth-registry/lib-node';
import * as theirs from './library.ts';
import { PLATFORMS, routeOf, SECRET, startPlatform, type Platform } from './platform.ts';

const TILES = Buffer.from('tiles of france');
const LIBRARIES = Object.entries({ theirs, ours });

interface List {
  results: { _id: string; name: string }[];
}

describe('the tile server', () => {
  let folder: string;
  let style: Buffer;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-tiles-'));
    await mkdir(join(folder, 'package'));
    await writeFile(join(folder, 'package/style.json'), '{"version":8}');
    await promisify(execFile)('tar', ['czf', join(folder, 'style.tgz'), '-C', folder, 'package']);
    style = await readFile(join(folder, 'style.tgz'));
  });
  after(() => rm(folder, { recursive: true }));

  /** What the server does at its start and every few minutes: it returns what it has downloaded. */
  async function update(library: typeof ours | typeof theirs, platform: Platform, url: string, cacheDir: string) {
    const downloaded: string[] = [];
    for (const [category, suffix] of [
      ['tileset', '.mbtiles'],
      ['maplibre-style', '.tgz'],
    ] as const) {
      const { data } = await platform
        .service({ url })
        .get<List>(`/artefacts?category=${category}&format=file&size=100`);
      for (const { _id, name } of data.results) {
        assert.equal(name, _id);
        const options = { registryUrl: url, secretKey: SECRET, artefactId: _id, cacheDir };
        const file = await library.ensureArtefactFile({ ...options, fileName: `${_id}${suffix}` });
        assert.equal(file.path, join(cacheDir, `${_id}${suffix}`));
        if (file.downloaded) downloaded.push(_id);
        if (file.downloaded && suffix === '.tgz')
          await ours.extractTarball(createReadStream(file.path), join(cacheDir, `styles-${downloaded.length}`));
      }
    }
    return downloaded;
  }

  for (const combination of PLATFORMS) {
    test(`on ${combination.dialect}, below ${combination.basePath || 'the root'}`, async () => {
      const platform = await startPlatform(combination);
      try {
        const upload = (id: string, file: Buffer, category: string) =>
          platform.upload(id, { format: 'file', file, fileName: `${id}.bin`, fields: { category } });
        await upload('france', TILES, 'tileset');
        await upload('basic', style, 'maplibre-style');
        await upload('other', TILES, 'other');
        for (const [name, library] of LIBRARIES) {
          for (const [at, url] of platform.insideUrls.entries()) {
            const cacheDir = join(folder, `${name}-${combination.dialect}-${combination.basePath.slice(1)}-${at}`);
            assert.deepEqual(await update(library, platform, url, cacheDir), ['france', 'basic']);
            assert.deepEqual(await readFile(join(cacheDir, 'france.mbtiles')), TILES);
            assert.equal(await readFile(join(cacheDir, 'styles-2/style.json'), 'utf8'), '{"version":8}');
            assert.deepEqual(await update(library, platform, url, cacheDir), []);
            const newer = Buffer.from(`newer tiles for ${cacheDir}`);
            await upload('france', newer, 'tileset');
            assert.deepEqual(await update(library, platform, url, cacheDir), ['france']);
            assert.deepEqual(await readFile(join(cacheDir, 'france.mbtiles')), newer);
            await upload('france', TILES, 'tileset');
          }
        }
        assert.equal((await platform.service().get<{ size: number }>(routeOf('france'))).data.size, TILES.length);
      } finally {
        await platform.close();
      }
    });
  }

  test('with the registry of its own tests, which has only downloads, each call is one request', async () => {
    const paths: string[] = [];
    let date = new Date('2026-01-01T00:00:00Z');
    const mock = createServer((request, response) => {
      paths.push(request.url ?? '');
      if (!/^\/api\/v1\/artefacts\/france\/download$/.test(request.url ?? ''))
        return void response.writeHead(404).end('unknown api endpoint');
      const since = Date.parse(request.headers['if-modified-since'] ?? '');
      response.setHeader('last-modified', date.toUTCString());
      if (since >= date.getTime()) return void response.writeHead(304).end();
      response.writeHead(200).end(TILES);
    });
    mock.listen(0, '127.0.0.1');
    await once(mock, 'listening');
    const registryUrl = `http://127.0.0.1:${(mock.address() as AddressInfo).port}`;
    try {
      for (const [name, library] of LIBRARIES) {
        const cacheDir = join(folder, `mock-${name}`);
        const options = { registryUrl, secretKey: SECRET, artefactId: 'france', cacheDir, fileName: 'france.mbtiles' };
        const outcomes: boolean[] = [];
        for (const step of ['first', 'hit', 'update', 'hit']) {
          if (step === 'update') date = new Date(date.getTime() + 1000);
          outcomes.push((await library.ensureArtefactFile(options)).downloaded);
        }
        assert.deepEqual(outcomes, [true, false, true, false], name);
        assert.deepEqual(await readFile(join(cacheDir, 'france.mbtiles')), TILES);
      }
      assert.deepEqual(paths, Array(8).fill('/api/v1/artefacts/france/download'));
    } finally {
      mock.close();
    }
  });
});
