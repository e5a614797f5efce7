// Under which names curl saves what the registry serves, and which names browsers read.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { createUpload, patchUpload } from '../uploads/tus-client.ts';

/** Names, and how curl saves them: it reads only the one in ASCII. */
const NAMES: Record<string, string> = {
  'france.pmtiles': 'france.pmtiles',
  'two words; and=more, (1) [2].bin': 'two words; and=more, (1) [2].bin',
  "l'été à Noël.bin": "l'ete a Noel.bin",
  'a "b" \'c\'.bin': "a _b_ 'c'.bin",
  '日本 😀.bin': '__ _.bin',
  '100%41.bin': '100_41.bin',
  '.hidden': '.hidden',
};

for (const dialect of DIALECTS) {
  describe(`names of saved responses on ${dialect}`, () => {
    let server: TestServer;
    let folder: string;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'berth-curl-'));
      server = await startTestServer({ dialect });
      await server.upload('@acme/plain@1', {
        file: await npmTarball({ name: '@acme/plain', files: { 'README.md': '# x', 'lib/l’été "x".js': 'x' } }),
      });
    });
    after(async () => {
      await server.close();
      await rm(folder, { recursive: true });
    });

    /** Saves a response as `curl -OJ` does; returns the name of the file and its bytes. */
    const save = async (path: string, caller = server.internal) => {
      const headers = Object.entries(caller).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
      const cwd = await mkdtemp(join(folder, 'saved-'));
      await promisify(execFile)('curl', ['-fsSLOJ', ...headers, `${server.url}/api/v1${path}`], { cwd });
      const [name = '', ...others] = await readdir(cwd);
      assert.deepEqual(others, []);
      return [name, await readFile(join(cwd, name))] as const;
    };
    const disposition = async (path: string, header = 'content-disposition') =>
      (await server.api('GET', path, { headers: server.internal })).headers.get(header) ?? '';

    for (const [name, saved] of Object.entries(NAMES))
      test(`a file artefact is saved under its name: ${name}`, async () => {
        const url = await createUpload(server, 'named', 4, { fields: { fileName: name } });
        assert.equal((await patchUpload(url, 0, Buffer.from(saved.slice(0, 4)))).status, 204);
        assert.deepEqual(await save('/artefacts/named/download'), [saved, Buffer.from(saved.slice(0, 4))]);
        const [, encoded = ''] =
          /filename\*=UTF-8''([\w!#$&+.^`|~%-]+)$/.exec(
            await disposition('/artefacts/named/download?redirect=false'),
          ) ?? [];
        assert.equal(decodeURIComponent(encoded), name);
      });

    test('a tarball, its files and its README are saved under their names', async () => {
      const path = '/artefacts/%40acme%2Fplain%401';
      assert.equal((await save(`${path}/tarball`))[0], '@acme-plain@1-noarch.tgz');
      assert.equal((await save(`${path}/download`))[0], '@acme-plain@1-noarch.tgz');
      assert.equal((await save(`${path}/readme`))[0], 'README.md');
      assert.equal((await save(`${path}/files/package.json`))[0], 'package.json');
      assert.equal((await save(`${path}/files/lib/${encodeURIComponent('l’été "x".js')}`))[0], 'l_ete _x_.js');
    });

    test('a thumbnail is saved under its ID, and the audit log as JSON Lines', async () => {
      const form = new FormData();
      const image = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } })
        .png()
        .toBuffer();
      form.set('file', new Blob([new Uint8Array(image)]), 'x.png');
      const response = await fetch(`${server.url}/api/v1/artefacts/%40acme%2Fplain%401/thumbnail`, {
        method: 'POST',
        headers: server.internal,
        body: form,
      });
      const { thumbnail } = (await response.json()) as { thumbnail: { id: string } };
      for (const path of ['/artefacts/%40acme%2Fplain%401/thumbnail', `/thumbnails/${thumbnail.id}/data`])
        assert.equal((await save(path))[0], `${thumbnail.id}.webp`);
      assert.match(await disposition(`/thumbnails/${thumbnail.id}/data`), /^inline; /);
      assert.equal((await save('/audit-events/export', await server.superadmin()))[0], 'audit-events.jsonl');
    });
  });
}
