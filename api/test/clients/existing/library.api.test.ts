// The client library that services have today, and ours in its place, with the same options: what they return, and the
// statuses by which services choose their messages.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as ours from '@berth-registry/lib-node';
import { npmTarball } from '../../support/tarball-builder.ts';
import * as theirs from './library.ts';
import { ACME, OTHER, PLATFORMS, routeOf, SECRET, startPlatform, statusOf, type Platform } from './platform.ts';

const ID = '@acme/import-gpkg@1';
const ABSENT = '@acme/absent@1';

for (const combination of PLATFORMS) {
  describe(`client libraries on ${combination.dialect}, below ${combination.basePath || 'the root'}`, () => {
    let platform: Platform;
    let folder: string;
    before(async () => {
      platform = await startPlatform(combination);
      folder = await mkdtemp(join(tmpdir(), 'berth-existing-'));
      await upload(ID, '1.0.0');
      await platform.service().patch(routeOf(ID), { privateAccess: [ACME] });
    });
    after(async () => {
      await platform.close();
      await rm(folder, { recursive: true });
    });

    let uploads = 0;
    async function upload(id: string, version: string, fields = {}): Promise<void> {
      const files = { 'index.js': `exports.upload = ${++uploads};\n` };
      const response = await platform.upload(id, { file: await npmTarball({ version, files }), fields });
      assert.equal(response.status, 201, await response.text());
    }
    let caches = 0;
    const optionsFor = (artefactId: string, registryUrl = platform.outsideUrl) => ({
      registryUrl,
      secretKey: SECRET,
      artefactId,
      cacheDir: join(folder, `cache-${++caches}`),
    });

    for (const [name, { ensureArtefact, ensureArtefactFile }] of Object.entries({ theirs, ours })) {
      test(`${name}: downloads once, with and without an account, at each address`, async () => {
        for (const url of platform.insideUrls) {
          for (const account of [undefined, { type: 'organization' as const, id: 'acme', department: 'geo' }]) {
            const options = { ...optionsFor(ID, url), account, build: false };
            const first = await ensureArtefact(options);
            assert.deepEqual([first.version, first.downloaded], ['1.0.0', true]);
            assert.match(await readFile(join(first.path, 'index.js'), 'utf8'), /exports\.upload/);
            assert.ok(Number.isFinite(new Date(first.dataUpdatedAt ?? '').getTime()));
            const second = await ensureArtefact(options);
            assert.deepEqual({ ...second, downloaded: true }, first);
            assert.equal(second.downloaded, false);
          }
        }
      });

      test(`${name}: uploads within a second, a removed slot and a roll-back each arrive`, async () => {
        const id = `@acme/moving-${name}@1`;
        const options = optionsFor(id);
        const paths = new Set<string>();
        for (const version of ['1.0.0', '1.0.1', '1.0.1', '1.0.0']) {
          await upload(id, version);
          const { path, version: got, downloaded } = await ensureArtefact(options);
          assert.deepEqual([got, downloaded], [version, true]);
          assert.match(await readFile(join(path, 'index.js'), 'utf8'), new RegExp(`upload = ${uploads};`));
          paths.add(path);
        }
        assert.equal(paths.size, 4);
        await upload(id, '2.0.0', { architecture: process.arch });
        await platform.service().delete(`${routeOf(id)}/tarballs/${process.arch}`);
        const { version, path } = await ensureArtefact(options);
        assert.equal(version, '1.0.0');
        assert.match(await readFile(join(path, 'index.js'), 'utf8'), new RegExp(`upload = ${uploads - 1};`));
      });

      test(`${name}: 403 for an account that may not use it, 404 for what does not exist`, async () => {
        for (const account of [OTHER, { type: 'user', id: 'ada' }] as const) {
          const { type, id } = account;
          assert.equal(await statusOf(ensureArtefact({ ...optionsFor(ID), account: { type, id } })), 403);
          assert.equal(await statusOf(ensureArtefact({ ...optionsFor(ABSENT), account: { type, id } })), 404);
          assert.equal(await statusOf(ensureArtefactFile({ ...optionsFor(ID), account: { type, id } })), 403);
        }
        assert.equal(await statusOf(ensureArtefact(optionsFor(ABSENT))), 404);
        assert.equal(await statusOf(ensureArtefact({ ...optionsFor(ID), secretKey: 'wrong' })), 401);
      });
    }

    test('theirs: the headers of a package are on 200 and on 304', async () => {
      const id = '@acme/native@1';
      await upload(id, '1.2.3');
      const url = `${platform.outsideUrl}/api/v1${routeOf(id)}/download`;
      const headers = { 'x-secret-key': SECRET };
      const first = await fetch(url, { headers });
      const date = first.headers.get('last-modified') ?? '';
      const second = await fetch(url, { headers: { ...headers, 'if-modified-since': date } });
      const third = await fetch(url, {
        headers: { ...headers, 'if-modified-since': new Date(Date.parse(date) - 1000).toUTCString() },
      });
      assert.deepEqual([first.status, second.status, third.status], [200, 304, 200]);
      for (const response of [first, second]) {
        assert.deepEqual(
          ['x-artefact-version', 'x-artefact-has-native-modules', 'last-modified'].map((it) =>
            response.headers.get(it),
          ),
          ['1.2.3', 'false', date],
        );
      }
      assert.equal(new Date(date).toUTCString(), date);
    });

    test('ours: takes exactly their options, and no version', async () => {
      const options = { ...optionsFor(ID), account: { type: 'organization' as const, id: 'acme' }, build: true };
      const result = await ours.ensureArtefact(options);
      for (const field of ['path', 'version', 'dataUpdatedAt', 'downloaded']) assert.ok(field in result, field);
      await assert.rejects(ours.ensureArtefact({ ...options, version: '1.0.0' } as never), TypeError);
      const error = await ours.ensureArtefact({ ...options, account: OTHER }).catch((it: unknown) => it);
      assert.deepEqual(
        [(error as ours.RegistryError).status, (error as ours.RegistryError).code],
        [403, 'not_shared'],
      );
    });
  });
}
