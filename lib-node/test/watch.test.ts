// Watches of a real server.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test, { after, before } from 'node:test';
import { ensureArtefact, publishArtefact } from '../dist/index.js';
import type { AccountRef } from '../dist/index.js';
import { startBerth } from './support/berth.ts';
import type { Berth } from './support/berth.ts';
import { eventually, eventuallyEqual } from './support/eventually.ts';
import { startProxy } from './support/proxy.ts';
import { makeDirectory } from './support/setting.ts';
import { packPackage } from './support/tarballs.ts';
import { startWatch } from './support/watching.ts';

let berth: Berth;
let registry: { registryUrl: string; secretKey: string };
before(async () => {
  berth = await startBerth();
  registry = { registryUrl: berth.url, secretKey: berth.secretKey };
});
after(async () => {
  await berth.close();
});

const ORGANISATION: AccountRef = { type: 'organization', id: 'acme' };
const routeOf = (artefactId: string): string => `/artefacts/${encodeURIComponent(artefactId)}`;

async function publish(artefactId: string, version: string): Promise<void> {
  await publishArtefact({ ...registry, artefactId, file: Readable.from([packPackage(version).bytes]) });
}

async function publishFile(artefactId: string, content: string): Promise<void> {
  const file = Readable.from([Buffer.from(content)]);
  await publishArtefact({ ...registry, artefactId, format: 'file', fileName: 'a.txt', file });
}

test('every id is reported once at the start, then each change of its document', async (t) => {
  const id = '@acme/changing@1';
  await publish(id, '1.0.0');
  const watch = startWatch(t, { ...registry, ids: [id, '@acme/absent@1'] });
  await watch.ready;
  assert.deepEqual([watch.history(id), watch.history('@acme/absent@1')], [['1.0.0'], ['not_found']]);
  assert.deepEqual([watch.last(id)?.dataChanged, watch.last('@acme/absent@1')?.artefact], [true, undefined]);

  await publish(id, '1.1.0');
  await eventuallyEqual(() => watch.history(id), ['1.0.0', '1.1.0']);
  assert.equal(watch.last(id)?.dataChanged, true);
  const cacheDir = await makeDirectory(t);
  const { version } = await ensureArtefact({ ...registry, artefactId: id, cacheDir, architecture: '' });
  assert.equal(version, '1.1.0');

  await berth.asService('PATCH', routeOf(id), { title: { en: 'Renamed' } });
  await eventuallyEqual(() => watch.last(id)?.artefact?.title?.en, 'Renamed');
  assert.equal(watch.last(id)?.dataChanged, false);

  await berth.asSuperadmin('DELETE', routeOf(id));
  await eventuallyEqual(() => watch.last(id)?.state, 'not_found');
  await publish(id, '1.1.0');
  await eventuallyEqual(() => watch.last(id)?.artefact?.version, '1.1.0');
  assert.equal(watch.last(id)?.dataChanged, true);
  assert.deepEqual([watch.history('@acme/absent@1'), watch.errors], [['not_found'], []]);
});

test('the removal of a slot is an update', async (t) => {
  const id = '@acme/slots@1';
  await publish(id, '1.0.0');
  await publishArtefact({
    ...registry,
    artefactId: id,
    architecture: 'x64',
    file: Readable.from([packPackage('1.0.0', { 'x64.js': '' }).bytes]),
  });
  const watch = startWatch(t, { ...registry, ids: [id] });
  await watch.ready;
  await berth.asSuperadmin('DELETE', `${routeOf(id)}/tarballs/x64`);
  await eventuallyEqual(() => Object.keys(watch.last(id)?.artefact?.tarballs ?? {}), ['noarch']);
  assert.equal(watch.last(id)?.dataChanged, true);
});

test('access that is given is reported by an event, access that is lost by the next refresh', async (t) => {
  const id = '@acme/shared@1';
  await publish(id, '1.0.0');
  const watch = startWatch(t, { ...registry, account: ORGANISATION, ids: [id], refreshIntervalMs: 300 });
  const patient = startWatch(t, { ...registry, account: ORGANISATION, ids: [id] });
  await Promise.all([watch.ready, patient.ready]);
  assert.deepEqual(watch.history(id), ['not_shared']);
  await berth.asService('PATCH', routeOf(id), { privateAccess: [ORGANISATION] });
  await eventuallyEqual(() => patient.history(id), ['not_shared', '1.0.0']);
  await berth.asService('PATCH', routeOf(id), { privateAccess: [] });
  await eventuallyEqual(() => watch.history(id), ['not_shared', '1.0.0', 'not_shared']);
  await berth.asService('PATCH', routeOf(id), { public: true });
  await eventuallyEqual(() => patient.last(id)?.artefact?.public, true);
  await eventuallyEqual(() => watch.history(id).at(-1), '1.0.0');
  assert.deepEqual([watch.errors, patient.errors], [[], []]);
});

test('ids may contain all characters, of those that the registry refuses too', async (t) => {
  const created = ['europe & friends.txt', 'é/ü?#%25 +=.txt', '日本,語.txt'];
  const impossible = ['a'.repeat(400), '../x', '\u0000', 'a\nb'];
  const watch = startWatch(t, { ...registry, ids: [...created, ...impossible] });
  await eventually(() => {
    for (const id of created) assert.deepEqual(watch.history(id), ['not_found']);
  });
  const accepted = [];
  for (const id of created) {
    const isAccepted = await publishFile(id, 'one').then(
      () => true,
      () => false,
    );
    if (!isAccepted) continue;
    accepted.push(id);
    await eventuallyEqual(() => watch.last(id)?.state, 'available');
  }
  assert.ok(accepted.length > 0);
});

test('of more artefacts than the registry selects, or a URL holds, the events are selected here', async (t) => {
  const proxy = await startProxy(t, berth.url);
  const ids = Array.from({ length: 150 }, (_, index) => `m${index}@1`);
  const long = ids.slice(0, 50).map((id) => `${'l'.repeat(100)}${id}`);
  const few = startWatch(t, { ...registry, registryUrl: proxy.url, ids: ids.slice(0, 3) });
  await few.ready;
  const watch = startWatch(t, { ...registry, registryUrl: proxy.url, ids });
  await watch.ready;
  await startWatch(t, { ...registry, registryUrl: proxy.url, ids: long }).ready;
  assert.deepEqual(
    proxy.requests
      .filter(({ url }) => url.includes('/events/stream'))
      .map(({ url }) => new URL(proxy.url + url).searchParams.getAll('artefact')),
    [ids.slice(0, 3), [], []],
  );
  const before = proxy.requests.length;
  await publish('@acme/other@1', '1.0.0');
  await publish('m149@1', '1.0.0');
  await eventuallyEqual(() => watch.history('m149@1'), ['not_found', '1.0.0']);
  assert.deepEqual(
    proxy.requests.slice(before).map(({ url }) => url),
    [`/api/v1${routeOf('m149@1')}`],
  );
});

test('a restarted server is followed from where it stopped, without reading every artefact again', async (t) => {
  const proxy = await startProxy(t, berth.url);
  const ids = ['@acme/restart@1', '@acme/still@1'];
  const watch = startWatch(t, { ...registry, registryUrl: proxy.url, ids });
  await watch.ready;
  const before = proxy.requests.length;
  await berth.restart();
  await publish('@acme/restart@1', '1.0.0');
  await eventuallyEqual(() => watch.history('@acme/restart@1'), ['not_found', '1.0.0']);
  const requests = proxy.requests.slice(before);
  assert.ok(requests.some(({ headers }) => headers['last-event-id'] !== undefined));
  assert.deepEqual(
    requests.filter(({ url }) => url === `/api/v1${routeOf('@acme/still@1')}`),
    [],
  );
});

test('a server with other data, as after a restore, makes the watch read everything again', async (t) => {
  const id = '@acme/restored@1';
  await publish(id, '1.0.0');
  const watch = startWatch(t, { ...registry, ids: [id] });
  await watch.ready;
  await berth.restart({ keepData: false });
  await eventuallyEqual(() => watch.history(id), ['1.0.0', 'not_found']);
  await publish(id, '2.0.0');
  await eventuallyEqual(() => watch.last(id)?.artefact?.version, '2.0.0');
});
