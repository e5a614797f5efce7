import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { exportArtefacts, importArtefacts } from '../../index.ts';
import { DIALECTS, envOf, startTestServer, type TestServer } from '../support/test-server.ts';
import { bytesOf, digestOf, documentOf, publish, remoteClient, resultOf } from '../remotes/pair.ts';

const run = promisify(execFile);
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="4"/></svg>';
const ORIGIN = 'https://production.example.org/registry';

for (const dialect of DIALECTS) {
  describe(`artefacts imported from a bundle on ${dialect}`, () => {
    let source: TestServer;
    let target: TestServer;
    let directory: string;
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'berth-bundle-'));
      source = await startTestServer({ env: { PUBLIC_URL: ORIGIN } });
      target = await startTestServer({ dialect });
      await publish(source, '@acme/a@1', '1.0.0', ['noarch', 'x64']);
      await publish(source, '@acme/b@1', '1.0.0');
      await publish(source, '@other/c@1', '1.0.0');
      const form = new FormData();
      form.set('file', new Blob([SVG]), 'icon.svg');
      await fetch(`${source.url}/api/v1/artefacts/%40acme%2Fa%401/thumbnail`, {
        method: 'POST',
        headers: source.internal,
        body: form,
      });
    });
    after(async () => {
      await Promise.all([source.close(), target.close()]);
      await rm(directory, { recursive: true });
    });

    const exportTo = (name: string, patterns: string[]) =>
      exportArtefacts(envOf(source), join(directory, name), { patterns });
    const importFrom = (name: string) => importArtefacts(envOf(target), join(directory, name));

    test('have everything that a mirror has, with the exporting registry as their origin', async () => {
      const exported = await exportTo('first.tar', ['@acme/*']);
      assert.deepEqual([exported.artefacts, exported.failed, exported.origin], [2, [], ORIGIN]);
      const { stdout } = await run('tar', ['tf', join(directory, 'first.tar')]);
      assert.match(stdout, /^blobs\/[0-9a-f]{64}$/m);
      assert.match(stdout, /^berth\.json$/m);
      assert.ok(!(await readFile(join(directory, 'first.tar'), 'latin1')).includes('privateAccess'));

      const report = await importFrom('first.tar');
      assert.deepEqual([report.updated, report.failed, report.problems, report.origin], [2, 0, [], ORIGIN]);
      assert.deepEqual(await bytesOf(target, '@acme/a@1', 'x64'), await bytesOf(source, '@acme/a@1', 'x64'));
      const copy = await documentOf(target, '@acme/a@1');
      assert.deepEqual(
        [copy?.['origin'], copy?.['public'], copy?.['dataUpdatedAt']],
        [ORIGIN, false, (await documentOf(source, '@acme/a@1'))?.['dataUpdatedAt']],
      );
      assert.equal(
        await (await target.api('GET', '/artefacts/%40acme%2Fa%401/thumbnail', { headers: target.internal })).text(),
        SVG,
      );
      assert.equal(await documentOf(target, '@other/c@1'), undefined);
      const view = await remoteClient(target, ORIGIN).get();
      assert.deepEqual(
        [view.selectedArtefacts, view.schedule, view.apiKeyShortId, view.lastSyncStatus],
        [['@acme/a@1', '@acme/b@1'], null, undefined, 'success'],
      );
    });

    test('come from a file that a stopped export does not touch, whatever a killed one left', async () => {
      const path = join(directory, 'first.tar');
      const before = await readFile(path);
      await writeFile(`${path}.part`, before.subarray(0, 5000));
      const stop = new AbortController();
      await assert.rejects(
        exportArtefacts(envOf(source), path, {
          patterns: ['@acme/*'],
          onProgress: () => stop.abort(new Error('stopped')),
          signal: stop.signal,
        }),
        /stopped/,
      );
      assert.deepEqual(await readFile(path), before);
      await assert.rejects(access(`${path}.part`));
      await writeFile(`${path}.part`, Buffer.alloc(before.length * 2, 'x'));
      await exportTo('first.tar', ['@acme/*']);
      assert.equal((await readFile(path)).length, before.length);
      await assert.rejects(access(`${path}.part`));
    });

    test('are updated only where a later bundle differs', async () => {
      await publish(source, '@acme/b@1', '1.0.1');
      await exportTo('second.tar', ['@acme/*', '@other/*']);
      const report = await importFrom('second.tar');
      assert.deepEqual([report.updated, report.unchanged, report.failed], [2, 1, 0]);
      assert.equal((await documentOf(target, '@acme/b@1'))?.['version'], '1.0.1');
    });

    test('fail one by one if their bytes are damaged or their id is in use, and the others are mirrored', async () => {
      await publish(source, '@acme/damaged@1', '1.0.0');
      await publish(source, '@acme/in-use@1', '1.0.0');
      await publish(source, '@acme/intact@1', '1.0.0');
      await publish(target, '@acme/in-use@1', '9.9.9');
      await exportTo('third.tar', ['@acme/damaged@1', '@acme/in-use@1', '@acme/intact@1']);
      const path = join(directory, 'third.tar');
      const bytes = await readFile(path);
      const digest = (await digestOf(source, '@acme/damaged@1')).replace('sha256:', '');
      bytes[bytes.indexOf(`blobs/${digest}`) + 512 + 20]! ^= 1;
      await writeFile(path, bytes);
      const report = await importFrom('third.tar');
      assert.deepEqual([report.updated, report.failed], [1, 2]);
      assert.deepEqual(
        report.problems.map(({ id }) => id),
        ['@acme/damaged@1', '@acme/in-use@1'],
      );
      assert.equal(await documentOf(target, '@acme/damaged@1'), undefined);
      assert.equal((await documentOf(target, '@acme/in-use@1'))?.['version'], '9.9.9');
      assert.equal((await documentOf(target, '@acme/intact@1'))?.['version'], '1.0.0');
      assert.equal(resultOf(await remoteClient(target, ORIGIN).get(), '@acme/damaged@1').status, 'failed');
    });

    test('are all rejected if the file is truncated, no bundle, or exported from this registry', async () => {
      await exportTo('truncated.tar', ['@acme/a@1']);
      await truncate(join(directory, 'truncated.tar'), 1000);
      await assert.rejects(importFrom('truncated.tar'), { code: 'bundle_invalid' });
      await writeFile(join(directory, 'none.tar'), 'not a tar at all'.repeat(100));
      await assert.rejects(importFrom('none.tar'), { code: 'bundle_invalid' });
      await assert.rejects(importFrom('missing.tar'), { name: 'ConfigError' });
      await exportTo('own.tar', ['@acme/a@1']);
      await assert.rejects(importArtefacts(envOf(source), join(directory, 'own.tar')), { code: 'remote_url_invalid' });
    });

    test('can be exported from another registry over the network', async () => {
      const path = join(directory, 'network.tar');
      const apiKey = await source.readKey({ type: 'organization', id: 'exporters' });
      const report = await exportArtefacts({}, path, { patterns: ['@acme/a@1'], from: { url: source.url, apiKey } });
      assert.deepEqual([report.artefacts, report.origin, report.failed], [1, source.url, []]);
      await assert.rejects(
        exportArtefacts({}, path, { patterns: ['*'], from: { url: source.url, apiKey: 'wrong' } }),
        { code: 'remote_refused' },
      );
    });
  });
}
