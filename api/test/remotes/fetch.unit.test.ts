import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFetcher, type FetcherOptions } from '../../src/remotes/fetch.ts';
import type { Upstream } from '../../src/remotes/upstream.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

const GIB = 1024 ** 3;
const SLOT = { architecture: '', digest: `sha256:${'a'.repeat(64)}`, sizeBytes: 2 * GIB, version: undefined, fileName: 'a', uploadedAt: '2026-01-01T00:00:00.000Z', hasNativeModules: false, hasInstallScripts: false, route: 'download' } as const;
const untouched = <T extends object>(what: string): T => new Proxy({}, { get: (_target, name) => { throw new Error(`${what}.${String(name)} was asked for`); } }) as T;

for (const dialect of DIALECTS) {
  for (const [what, options, code] of [
    ['on the disk', { freeBytes: () => Promise.resolve(GIB), maxUploadBytes: 200 * GIB }, 'storage_full'],
    ['under the limit of uploads', { freeBytes: () => Promise.resolve(undefined), maxUploadBytes: GIB }, 'upload_too_large'],
  ] as const) {
    test(`bytes that have no room ${what} are not asked for, on ${dialect}`, async () => {
      const { database, close } = await openTestDatabase(dialect);
      try {
        const fetcher = createFetcher({ database, transactions: database, publishing: untouched<FetcherOptions['publishing']>('publishing'), onError: (error) => { throw error; }, ...options });
        await assert.rejects(fetcher.fetch({
          upstream: untouched<Upstream>('upstream'), id: { remoteId: 'https://example.org', artefactId: 'large', architecture: '' }, format: 'file', slot: SLOT,
          signal: new AbortController().signal, onBytes: () => undefined,
        }), { code });
      } finally {
        await close();
      }
    });
  }
}
