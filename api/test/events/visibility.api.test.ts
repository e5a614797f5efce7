// Who gets which events, by every route that has them: whoever sees the artefact now, or saw it before it was deleted.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SYSTEM_ACTOR } from '../../src/access/index.ts';
import { recordChange, type NewEvent } from '../../src/events/index.ts';
import { times } from '../support/combinations.ts';
import { eventually } from '../support/eventually.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { DIALECTS } from '../support/test-database.ts';
import { follow, getPage, readAll, toQuery, type CloudEvent, type Query } from './event-readers.ts';
import { createWorld, REFUSED, UNLIMITED, type Step, type World } from './event-world.ts';

/** Every kind of history of an artefact, by its ID. */
const HISTORIES: Record<string, Step[]> = {
  'open': ['upload', 'public', 'title'],
  'closed': ['upload', 'title'],
  'for-acme': ['upload', 'share:acme', 'slot'],
  'for-geo': ['upload', 'share:acme/geo'],
  'for-two': ['upload', 'share:acme/sea,uma'],
  'for-initech': ['upload', 'share:initech'],
  'for-hooli': ['upload', 'share:hooli'],
  'taken-back': ['upload', 'share:acme,uma', 'slot', 'share:uma'],
  'closed-later': ['upload', 'public', 'title', 'private'],
  'opened-later': ['upload', 'share:acme', 'public'],
  'deleted-open': ['upload', 'public', 'slot', 'delete'],
  'deleted-closed': ['upload', 'delete'],
  'deleted-for-geo': ['upload', 'share:acme/geo', 'delete'],
  'deleted-after-taken-back': ['upload', 'share:acme,uma', 'share:uma', 'delete'],
  'again-for-others': ['upload', 'share:acme', 'delete', 'upload', 'share:initech', 'title'],
  'again-open': ['upload', 'share:uma', 'delete', 'upload', 'public', 'delete', 'upload'],
  'again-closed': ['upload', 'public', 'delete', 'upload', 'share:acme/sea', 'delete', 'upload', 'title'],
};
const OPERATIONAL: NewEvent[] = [
  { type: 'mirror.failed', subject: 'https://zebra.example', data: { code: 'unreachable' } },
  { type: 'mirror.synced', subject: 'https://zebra.example', data: { updated: 1, unchanged: 0, gone: 0 } },
  // Its subject is that of an artefact which everybody sees.
  { type: 'key.revoked', subject: 'open', data: { type: 'read', name: 'zebra-key', shortId: '0000000a' } },
  {
    type: 'key.expiring',
    subject: 'open',
    data: { type: 'upload', name: 'zebra-key', shortId: '0000000a', expiresAt: '2100-01-01T00:00:00.000Z' },
  },
  { type: 'storage.damaged', subject: 'open', data: { state: 'missing', artefacts: ['closed', 'open'] } },
];
/** In the names and addresses of people, accounts and keys, in titles, and in operational events. */
const MARKERS = /zebra|@|Uma|Administrator|"actor"|"audience"|privateAccess/;

const byEveryone = ({ callers }: World) =>
  Object.entries(callers).filter(([name]) => !(name in REFUSED)) as [name: string, headers: Record<string, string>][];
const isUnlimited = (name: string) => (UNLIMITED as readonly string[]).includes(name);
const isOfArtefact = ({ type }: CloudEvent) => /^berth\.(artefact|slot)\./.test(type);

/** What a caller may get of all events. */
async function expectedFor(world: World, all: readonly CloudEvent[]): Promise<Map<string, CloudEvent[]>> {
  const incarnations = new Map<string, number>();
  const seers = new Map<string, Set<string>[]>();
  for (const id of new Set(all.filter(isOfArtefact).map(({ subject }) => subject)))
    seers.set(id, [...world.deletedFor(id), await world.seenBy(id)]);
  const seenBy = all.map((event) => {
    if (!isOfArtefact(event)) return new Set<string>();
    const number = incarnations.get(event.subject) ?? 0;
    if (event.type === 'berth.artefact.deleted') incarnations.set(event.subject, number + 1);
    return seers.get(event.subject)?.[number] ?? new Set<string>();
  });
  const withoutActor = ({ data: { by: _by, ...data }, ...event }: CloudEvent) => ({ ...event, data });
  return new Map(
    byEveryone(world).map(([name]) => [
      name,
      isUnlimited(name) ? [...all] : all.filter((_event, at) => seenBy[at]?.has(name)).map(withoutActor),
    ]),
  );
}

async function stream(world: World, name: string, query: Query, count: number, lastEventId?: string) {
  const follower = await follow(world.app, world.callers[name]!, query, { lastEventId });
  assert.equal(follower.status, 200, follower.text());
  await eventually(async () => {
    assert.ok(follower.events.length >= count, `${follower.events.length} of ${count}`);
  });
  await follower.close();
  return follower;
}

for (const dialect of DIALECTS) {
  describe(`events on ${dialect}`, () => {
    let world: World;
    let all: CloudEvent[];
    let expected: Map<string, CloudEvent[]>;
    before(async () => {
      world = await createWorld(dialect);
      // The steps of all artefacts in turn, so that their events are mixed.
      for (let at = 0; at < Math.max(...Object.values(HISTORIES).map(({ length }) => length)); at++)
        for (const [id, steps] of Object.entries(HISTORIES))
          for (const step of steps.slice(at, at + 1)) await world.step(id, step);
      await world.app.database.transaction((tx) =>
        recordChange(tx, SYSTEM_ACTOR, { action: 'test', targetType: 'artefact', targetId: '', events: OPERATIONAL }),
      );
      await world.step('open', 'title');
      await world.untilReadable();
      all = await readAll(world.app, world.callers['a superadmin']!);
      expected = await expectedFor(world, all);
    });
    after(() => world.close());

    test('have one for each step, in their order', () => {
      const types: Record<string, string> = {
        upload: 'created',
        slot: 'updated',
        delete: 'deleted',
        title: 'metadata_changed',
      };
      for (const [id, steps] of Object.entries(HISTORIES))
        assert.deepEqual(
          all.filter((it) => it.subject === id && isOfArtefact(it)).map(({ type }) => type.split('.').at(-1)),
          [...steps, ...(id === 'open' ? ['title'] : [])].map((step) => types[step] ?? 'access_changed'),
          id,
        );
    });

    test('in pages are those that each caller may see, whatever the size of a page', async () => {
      for (const [name, headers] of byEveryone(world))
        for (const size of [1, 7, 1000])
          assert.deepEqual(await readAll(world.app, headers, { size }), expected.get(name), `${name} ${size}`);
      // The callers differ: the comparison has a meaning.
      assert.ok(new Set([...expected.values()].map((events) => JSON.stringify(events))).size >= 8);
    });

    test('of named artefacts, or of some types, are some of these', async () => {
      for (const [name, headers] of byEveryone(world)) {
        for (const artefact of [...Object.keys(HISTORIES), ['for-geo', 'again-open', 'nothing']])
          assert.deepEqual(
            await readAll(world.app, headers, { artefact, size: 3 }),
            expected.get(name)?.filter((it) => isOfArtefact(it) && [artefact].flat().includes(it.subject)),
            `${name} ${String(artefact)}`,
          );
        for (const types of [
          'artefact.',
          'berth.artefact.deleted,slot.',
          'key.,artefact.created',
          'mirror.',
          'berth.',
        ])
          assert.deepEqual(
            await readAll(world.app, headers, { types }),
            expected
              .get(name)
              ?.filter(({ type }) =>
                types.split(',').some((it) => type.startsWith(it) || type.startsWith(`berth.${it}`)),
              ),
            `${name} ${types}`,
          );
      }
    });

    test('in streams are the same, also where one goes on', async () => {
      for (const [name] of byEveryone(world)) {
        const own = expected.get(name) ?? [];
        assert.deepEqual((await stream(world, name, { after: 'oldest' }, own.length)).events, own, name);
        const { subject, id } = all[Math.floor(all.length / 3)]!;
        const later = own.filter((it) => all.findIndex((other) => other.id === it.id) > all.length / 3);
        assert.deepEqual((await stream(world, name, { after: 'oldest' }, later.length, id)).events, later, name);
        const filtered = later.filter((it) => isOfArtefact(it) && ['open', subject].includes(it.subject));
        const query = { artefact: ['open', subject], after: id };
        assert.deepEqual((await stream(world, name, query, filtered.length)).events, filtered, name);
      }
    });

    test('name who did it only for the unlimited, by ID alone; others get no name, address or secret', async () => {
      for (const [name, headers] of byEveryone(world)) {
        const text =
          JSON.stringify(await readAll(world.app, headers)) +
          (await stream(world, name, { after: 'oldest' }, 1)).text();
        if (isUnlimited(name)) {
          assert.doesNotMatch(text.replaceAll(/zebra-key|zebra\.example/g, ''), MARKERS, name);
          assert.ok(all.every(({ data }) => ['kind', 'kind,id'].includes(Object.keys(data['by'] ?? {}).join(','))));
        } else {
          assert.doesNotMatch(text, MARKERS, name);
          assert.doesNotMatch(text, /"by"|mirror|key\.|storage/, name);
        }
      }
    });

    test('are refused to who may read none, and types to who never gets them', async () => {
      const codes = async (headers: Record<string, string>, query: Query) => {
        const answers = ['/events', '/events/stream'].map(async (path) => {
          const response = await world.app.api('GET', `${path}?${toQuery(query)}`, { headers });
          if (response.status !== 200)
            return `${response.status} ${((await response.json()) as { code: string }).code}`;
          await response.body?.cancel();
          return '200';
        });
        return Promise.all(answers);
      };
      for (const [name, refusal] of Object.entries(REFUSED))
        for (const query of [{}, { types: 'artefact.created' }, { after: 'nothing' }, { types: 'nothing' }])
          assert.deepEqual(await codes(world.callers[name]!, query), [refusal, refusal], name);
      for (const [name, headers] of byEveryone(world))
        for (const types of [
          'mirror.synced',
          'berth.mirror.failed',
          'artefact.created,key.revoked',
          'key.expiring',
          'storage.damaged',
        ])
          if (!isUnlimited(name))
            assert.deepEqual(await codes(headers, { types }), ['403 forbidden', '403 forbidden'], `${name} ${types}`);
          else assert.notEqual((await getPage(world.app, headers, { types })).status, 403);
    });

    test('of random histories are those that each caller may see', async () => {
      const seed = Number(process.env['BERTH_TEST_SEED'] ?? Date.now() % 1_000_000);
      const random = seededRandom(seed);
      const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)]!;
      for (let round = 0; round < times({ often: 10, seldom: 2 }); round++) {
        const exists = new Set<string>();
        const ids = ['r1', 'r2', 'r3'].map((id) => `${id}-${round}`);
        for (let step = 0; step < 40; step++) {
          const id = pick(ids);
          const share = () => `share:${[pick(world.accounts), pick(world.accounts)].join(',')}` as Step;
          const next = exists.has(id)
            ? pick<Step>(['slot', 'title', 'public', 'private', share(), share(), 'delete', 'delete'])
            : 'upload';
          await world.step(id, next);
          if (next === 'delete') exists.delete(id);
          else exists.add(id);
        }
        await world.untilReadable();
        const present = await readAll(world.app, world.app.internal);
        const allowed = await expectedFor(world, present);
        for (const [name, headers] of byEveryone(world))
          assert.deepEqual(
            await readAll(world.app, headers, { size: 50 }),
            allowed.get(name),
            `${name}, seed ${seed}`,
          );
      }
    });
  });
}
