import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAssertRoom } from '../../src/remotes/room.ts';
import { createFetcher, type FetchOrder, type FetcherOptions } from '../../src/remotes/fetch.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const SLOT = { architecture: '', digest: undefined, sizeBytes: undefined, version: undefined, fileName: 'a', uploadedAt: '2026-01-01T00:00:00.000Z', hasNativeModules: false, hasInstallScripts: false, route: 'download' } as const;
const untouched = <T extends object>(what: string): T => new Proxy({}, { get: (_target, name) => { throw new Error(`${what}.${String(name)} was asked for`); } }) as T;

for (const [what, freeBytes, maxUploadBytes, code] of [
  ['on the disk', 2 * GIB + 63 * MIB, 200 * GIB, 'storage_full'],
  ['under the limit of uploads', undefined, GIB, 'upload_too_large'],
] as const) {
  test(`what has no room ${what} is refused, with a little to spare`, async () => {
    const assertRoom = createAssertRoom({ freeBytes: () => Promise.resolve(freeBytes) }, maxUploadBytes);
    await assert.rejects(assertRoom(2 * GIB), { code });
    await assertRoom(GIB);
  });
}

test('bytes of a size that is told no sooner than with them are refused before the first one, and what was begun for them goes', async () => {
  const done: string[] = [];
  const intake = { storageKey: 'key', sizeBytes: 0, failed: new Promise<never>(() => undefined), abort: () => { done.push('aborted'); return Promise.resolve(); } };
  const fetcher = createFetcher({
    fetches: { find: () => Promise.resolve(undefined), put: () => Promise.reject(new Error('nothing is worth noting')), remove: () => Promise.resolve() },
    intakes: { ...untouched<FetcherOptions['intakes']>('intakes'), begin: () => Promise.resolve(intake as unknown as Awaited<ReturnType<FetcherOptions['intakes']['begin']>>) },
    assertRoom: createAssertRoom({ freeBytes: () => Promise.resolve(GIB) }, 200 * GIB), maxUploadBytes: 200 * GIB, onError: (error) => { throw error; },
  });
  const bytes = { offset: 0, sizeBytes: 2 * GIB, etag: '"a"', digest: undefined, chunks: untouched<AsyncIterable<Uint8Array>>('chunks'), end: () => { done.push('ended'); } };
  const order: FetchOrder = {
    upstream: { open: () => Promise.resolve(bytes) }, id: { remoteId: 'https://example.org', artefactId: 'large', architecture: '' }, format: 'file', slot: SLOT,
    signal: new AbortController().signal, onBytes: () => undefined,
  };
  await assert.rejects(fetcher.fetch(order), { code: 'storage_full' });
  assert.deepEqual(done, ['ended', 'aborted']);
});
