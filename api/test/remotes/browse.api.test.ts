// The list of a remote registry: its pages, one after the other, have each artefact that is to be seen once, and each
// page counts exactly these, for all filters and page sizes.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { startOlderRegistry, type OlderRegistry } from './older-registries.ts';
import { addRemote, share, type RemoteClient } from './pair.ts';
import { startTroubledProxy, type TroubledProxy } from './troubled-proxy.ts';

/** More than one request reads at once. */
const ARTEFACTS = 120;
/** The first one for short lists only. */
const SIZES = [1, 7, 100, 1000];
const FILTERS: Record<string, string>[] = [
  {},
  { category: 'tileset' },
  { q: 'geo' },
  { format: 'npm' },
  { format: 'file', category: 'other' },
  { q: 'nothing' },
];

interface Listed {
  _id: string;
  category: string;
  format: string;
  deprecated?: boolean;
  local: { selected: boolean };
}

async function page(
  remote: RemoteClient,
  query: Record<string, string>,
): Promise<{ results: Listed[]; count: number }> {
  const response = await remote.ask('GET', `/remote-artefacts?${new URLSearchParams(query).toString()}`);
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as { results: Listed[]; count: number };
}

/** Reads all pages, and checks that they are complete and agree on the count. */
async function assertPages(remote: RemoteClient, filters: Record<string, string>, expected: string[]): Promise<void> {
  for (const size of expected.length > 40 ? SIZES.slice(1) : SIZES) {
    const seen: string[] = [];
    for (let skip = 0; ; skip += size) {
      const { results, count } = await page(remote, { ...filters, skip: String(skip), size: String(size) });
      const where = `${JSON.stringify(filters)} skip ${skip} size ${size}`;
      assert.equal(count, expected.length, where);
      assert.equal(results.length, Math.max(0, Math.min(size, expected.length - skip)), where);
      seen.push(...results.map(({ _id }) => _id));
      if (skip + size >= count) break;
    }
    assert.deepEqual(seen.sort(), expected.toSorted());
  }
}

describe('the list of a remote registry', () => {
  let upstream: TestServer;
  let mirror: TestServer;
  let proxy: TroubledProxy;
  let direct: RemoteClient;
  let proxied: RemoteClient;
  let all: Listed[];
  before(async () => {
    [upstream, mirror] = await Promise.all([startTestServer(), startTestServer()]);
    proxy = await startTroubledProxy(upstream.url);
    const file = await npmTarball({ name: '@acme/plugin', version: '1.0.0' });
    const publishOne = async (at: number) => {
      const id = `${at % 3 === 0 ? 'geo' : 'data'}-${at}`;
      const category = at % 4 === 0 ? 'tileset' : 'other';
      const response =
        at % 2 === 0
          ? await upstream.upload(id, { format: 'file', file: Buffer.from(id), fileName: 'x', fields: { category } })
          : await upstream.upload(id, { file, fields: { category } });
      assert.equal(response.status, 201, await response.clone().text());
      await share(upstream, id);
      if (at % 5 < 2)
        await upstream.api('PATCH', `/artefacts/${id}`, { headers: upstream.internal, body: { deprecated: true } });
    };
    for (let at = 0; at < ARTEFACTS; at += 8)
      await Promise.all(Array.from({ length: 8 }, (_, more) => publishOne(at + more)));
    const list = await upstream.api('GET', '/artefacts?includeDeprecated=true&size=1000', {
      headers: upstream.internal,
    });
    ({ results: all } = (await list.json()) as { results: Listed[] });
    assert.equal(all.length, ARTEFACTS);
    const key = await upstream.readKey({ type: 'organization', id: 'mirrors' });
    direct = await addRemote(mirror, upstream.url, key);
    proxied = await addRemote(mirror, proxy.url, key);
  });
  after(() => Promise.all([mirror.close(), proxy.close(), upstream.close()]));

  const expectedOf = ({ q, category, format }: Record<string, string>, selected: ReadonlySet<string>) =>
    all
      .filter((it) => q === undefined || it._id.includes(q))
      .filter((it) => category === undefined || it.category === category)
      .filter((it) => format === undefined || it.format === format)
      .filter((it) => !it.deprecated || selected.has(it._id))
      .map(({ _id }) => _id);

  test('has no deprecated artefacts while none is selected, and asks for nothing else', async () => {
    for (const filters of FILTERS) await assertPages(direct, filters, expectedOf(filters, new Set()));
    assert.deepEqual(await page(direct, { skip: '500' }), { results: [], count: expectedOf({}, new Set()).length });
    proxy.requests = [];
    await page(proxied, { size: '20' });
    assert.equal(proxy.requests.length, 1);
  });

  test('has the deprecated artefacts that are selected', async () => {
    const selected = new Set(all.filter((_, at) => at % 7 === 0).map(({ _id }) => _id));
    await direct.select(...selected);
    for (const filters of FILTERS) {
      await assertPages(direct, filters, expectedOf(filters, selected));
      const { results } = await page(direct, { ...filters, size: '1000' });
      for (const { _id, local } of results) assert.equal(local.selected, selected.has(_id));
    }
    assert.deepEqual(await page(direct, { skip: '500' }), { results: [], count: expectedOf({}, selected).length });
    // In the order of the remote registry.
    const { results } = await page(direct, { size: '1000' });
    const shown = new Set(expectedOf({}, selected));
    assert.deepEqual(
      results.map(({ _id }) => _id),
      all.map(({ _id }) => _id).filter((id) => shown.has(id)),
    );
  });

  test('has none either of a registry that never leaves them out', async () => {
    proxy.trouble = (incoming) => {
      incoming.url = incoming.url
        ?.replace('/artefacts?', '/artefacts?includeDeprecated=true&')
        .replace(/&includeDeprecated=true/, '');
      return false;
    };
    for (const filters of FILTERS) {
      const { results, count } = await page(proxied, { ...filters, size: '1000' });
      const expected = expectedOf(filters, new Set());
      assert.deepEqual([results.map(({ _id }) => _id).sort(), count], [expected.toSorted(), expected.length]);
    }
    proxy.trouble = undefined;
  });
});

describe('the list of an older registry', () => {
  let older: OlderRegistry;
  let mirror: TestServer;
  before(async () => {
    mirror = await startTestServer();
  });
  after(() => mirror.close());

  for (const dialect of ['slots', 'root'] as const) {
    test(`with the dialect ${dialect} is complete, with and without a selection`, async (t) => {
      older = await startOlderRegistry(dialect, 'reg_older');
      t.after(() => older.close());
      const file = await npmTarball({ name: '@acme/plugin', version: '1.0.0' });
      const ids = Array.from({ length: 23 }, (_, at) => `${dialect}-${at}@1`);
      for (const id of ids) older.put(id, file);
      const remote = await addRemote(mirror, older.url, 'reg_older');
      await assertPages(remote, {}, ids);
      await remote.select(`${dialect}-3@1`);
      await assertPages(remote, {}, ids);
    });
  }
});
