// Listing events: of a real server, and page by page of others.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import { listEvents, publishArtefact, RegistryError } from '../dist/index.js';
import type { ListEventsOptions } from '../dist/index.js';
import { startBerth } from './support/berth.ts';
import { eventJson } from './support/event-streams.ts';
import { makeRegistry } from './support/setting.ts';
import { packPackage } from './support/tarballs.ts';

async function names(options: ListEventsOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const { type, subject } of listEvents(options)) found.push(`${type.split('.').at(-1)} ${subject}`);
  return found;
}

test('a real server lists what has happened, from any event on', async (t) => {
  const berth = await startBerth();
  t.after(() => berth.close());
  const registry = { registryUrl: berth.url, secretKey: berth.secretKey };
  const ids = ['a', 'b', 'c'];
  for (const artefactId of ids)
    await publishArtefact({ ...registry, artefactId, file: Readable.from([packPackage('1.0.0').bytes]) });
  const all = ids.map((id) => `created ${id}`);
  assert.deepEqual(await names(registry), all);
  const { value: first } = await listEvents(registry).next();
  assert.deepEqual(await names({ ...registry, after: first?.id }), all.slice(1));
  assert.deepEqual(await names({ ...registry, after: 'latest' }), []);
  assert.deepEqual(await names({ ...registry, artefactIds: ['c', 'none'] }), ['created c']);
  // More than the registry takes in a request.
  const many = [...Array.from({ length: 150 }, (_, index) => `none-${index}`), 'b'];
  assert.deepEqual(await names({ ...registry, artefactIds: many }), ['created b']);
  assert.deepEqual(await names({ ...registry, types: ['artefact.updated', 'slot.'] }), []);
  await assert.rejects(names({ ...registry, after: 'unknown' }), { status: 410, code: 'events_gone' });
});

/** Answers each page by the number in `after`; a text is sent as it is. */
async function pagesOf(t: Parameters<typeof makeRegistry>[0], pages: Record<string, object | string | number>) {
  const fixture = await makeRegistry(t);
  const asked: string[] = [];
  fixture.misbehave((request, response) => {
    const { searchParams } = new URL(request.url ?? '', fixture.origin);
    const after = searchParams.get('after') ?? '';
    asked.push(after);
    const page = pages[after] ?? pages['else'] ?? {};
    if (typeof page === 'number') {
      delete pages[after];
      response.writeHead(page).end();
    } else
      response
        .writeHead(200, { 'content-type': typeof page === 'string' ? 'text/html' : 'application/json; charset=utf-8' })
        .end(typeof page === 'string' ? page : JSON.stringify(page));
    return true;
  });
  return { asked, options: { registryUrl: fixture.url } };
}

test('pages follow each other until `next` stays, also empty ones and after failures', async (t) => {
  const page = (number: number, next: string) => ({ results: [JSON.parse(eventJson(number, `s${number}`))], next });
  const empty = { results: [], next: '2' };
  const { asked, options } = await pagesOf(t, {
    oldest: 503,
    else: empty,
    2: page(2, '3'),
    3: { results: [], next: '3' },
  });
  assert.deepEqual(await names(options), ['updated s2']);
  assert.deepEqual(asked, ['oldest', 'oldest', '2', '3']);
  await assert.rejects(names({ ...(await pagesOf(t, { oldest: 503 })).options, retries: 0 }), { status: 503 });
});

for (const [what, page] of Object.entries({
  'HTML': '<html>',
  'no results': { next: 'x' },
  'no next': { results: [] },
  'results that are none': { results: [null], next: 'x' },
  'an event without data': { results: [{ id: 'x', type: 'y' }], next: 'x' },
}))
  test(`${what} is refused`, async (t) => {
    const { options } = await pagesOf(t, { oldest: page });
    await assert.rejects(names(options), (error) => error instanceof RegistryError && error.code === 'bad_answer');
  });

test('options are checked at once', () => {
  assert.throws(() => listEvents({ registryUrl: 'https://example.org', after: '' }), TypeError);
  assert.throws(() => listEvents({ registryUrl: 'https://example.org', unknown: 1 } as never), TypeError);
});
