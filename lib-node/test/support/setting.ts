// Sets up what most tests need: a registry and an empty cache, removed after the test.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startRegistry } from './registry-fixture.ts';
import type { FixtureOptions, RegistryFixture } from './registry-fixture.ts';

export const ID = '@acme/sample@1';

/** Makes a temporary directory, removed after the test. */
export async function makeDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-lib-node-'));
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

export async function makeRegistry(t: TestContext, options?: FixtureOptions): Promise<RegistryFixture> {
  const registry = await startRegistry(options);
  t.after(() => registry.close());
  return registry;
}

export interface Setting {
  registry: RegistryFixture;
  cacheDir: string;
  /** Options of ensureArtefact or ensureArtefactFile. */
  options: { registryUrl: string; secretKey: string; artefactId: string; cacheDir: string; architecture?: string };
}

export async function makeSetting(t: TestContext, options?: FixtureOptions): Promise<Setting> {
  const registry = await makeRegistry(t, options);
  const cacheDir = await makeDirectory(t);
  return {
    registry,
    cacheDir,
    options: { registryUrl: registry.url, secretKey: 'internal', artefactId: ID, cacheDir, architecture: 'x64' },
  };
}

/** As makeSetting, for ensureArtefactFile, which has no architectures. */
export async function makeFileSetting(t: TestContext, artefactId: string, options?: FixtureOptions): Promise<Setting> {
  const registry = await makeRegistry(t, options);
  const cacheDir = await makeDirectory(t);
  return { registry, cacheDir, options: { registryUrl: registry.url, secretKey: 'internal', artefactId, cacheDir } };
}
