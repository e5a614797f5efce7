// Following the events of a real server.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { Readable } from 'node:stream';
import { followEvents, publishArtefact } from '../dist/index.js';
import type { BerthEvent, FollowEventsOptions } from '../dist/index.js';
import { startBerth } from './support/berth.ts';
import type { Berth } from './support/berth.ts';
import { eventually, eventuallyEqual } from './support/eventually.ts';
import { follow } from './support/following.ts';
import { packPackage } from './support/tarballs.ts';

let berth: Berth;
let registry: { registryUrl: string; secretKey: string };
before(async () => {
  berth = await startBerth();
  registry = { registryUrl: berth.url, secretKey: berth.secretKey };
});
after(async () => {
  await berth.close();
});

async function publish(artefactId: string): Promise<void> {
  await publishArtefact({ ...registry, artefactId, file: Readable.from([packPackage('1.0.0').bytes]) });
}

test('events are yielded as they happen, those of before if asked for', async (t) => {
  await publish('@acme/first@1');
  const all = follow(t, { ...registry, after: 'oldest' });
  await eventuallyEqual(all.names, ['berth.artefact.created @acme/first@1']);
  const rest = follow(t, { ...registry, after: all.events[0]?.id });
  await publish('@acme/second@1');
  await eventuallyEqual(rest.names, ['berth.artefact.created @acme/second@1']);
  await eventuallyEqual(all.names, ['berth.artefact.created @acme/first@1', ...rest.names()]);
  const [{ specversion, time, data } = {} as Partial<BerthEvent>] = rest.events;
  assert.deepEqual([specversion, data?.['format']], ['1.0', 'npm']);
  assert.ok(Math.abs(Date.parse(time ?? '') - Date.now()) < 60_000);
});

test('types and artefacts select events', async (t) => {
  const ids = Array.from({ length: 150 }, (_, index) => `@acme/selected-${index}@1`);
  const few = follow(t, { ...registry, after: 'oldest', artefactIds: ids.slice(0, 2) });
  const many = follow(t, { ...registry, after: 'oldest', artefactIds: ids });
  const changes = follow(t, { ...registry, after: 'oldest', types: ['artefact.metadata_changed', 'slot.'] });
  await publish(ids[0] ?? '');
  await publish('@acme/unselected@1');
  await publish(ids[149] ?? '');
  await berth.asService('PATCH', `/artefacts/${encodeURIComponent(ids[0] ?? '')}`, { title: { en: 'Title' } });
  const changed = `berth.artefact.metadata_changed ${ids[0]}`;
  await eventuallyEqual(few.names, [`berth.artefact.created ${ids[0]}`, changed]);
  await eventuallyEqual(many.names, [
    `berth.artefact.created ${ids[0]}`,
    `berth.artefact.created ${ids[149]}`,
    changed,
  ]);
  await eventuallyEqual(changes.names, [changed]);
});

test('restarts of the server lose no event and repeat none', async (t) => {
  const interruptions: string[] = [];
  const onInterruption = ({ code }: { code: string }): unknown => interruptions.push(code);
  const following = follow(t, { ...registry, types: ['artefact.created'], onInterruption });
  const ids = ['0', '1', '2', '3', '4', '5'].map((name) => `@acme/restarted-${name}@1`);
  await publish('@acme/fence@1');
  await eventually(async () => {
    await publish(`@acme/fence-${Math.random()}@1`);
    assert.ok(following.events.length > 0);
  });
  for (const [index, id] of ids.entries()) {
    if (index % 3 === 1) await berth.restart();
    await publish(id);
  }
  const expected = ids.map((id) => `berth.artefact.created ${id}`);
  await eventuallyEqual(() => following.names().filter((name) => name.includes('restarted')), expected);
  assert.ok(interruptions.includes('body_cut'));
});

test('what the registry refuses, and what is no option, is an error', async () => {
  const first = (more: Partial<FollowEventsOptions>): Promise<unknown> =>
    followEvents({ ...registry, ...more }).next();
  await assert.rejects(first({ after: 'unknown' }), { status: 410, code: 'events_gone' });
  await assert.rejects(first({ secretKey: 'wrong' }), { status: 401, code: 'secret_key_wrong' });
  await assert.rejects(first({ secretKey: undefined }), { status: 401, code: 'unauthenticated' });
  await assert.rejects(first({ types: ['artefact.invented'] }), { status: 400 });
  for (const wrong of [{ after: '' }, { after: 'é' }, { artefactIds: [] }, { types: 'artefact.' }, { ids: ['a'] }])
    assert.throws(() => followEvents({ ...registry, ...(wrong as object) }), { name: 'TypeError' });
});
