// Sets up registries to watch, starts watches, and records what they report.

import type { TestContext } from 'node:test';
import { watchArtefacts } from '../../dist/index.js';
import type { ArtefactUpdate, ArtefactWatch, WatchArtefactsOptions, WatchErrorContext } from '../../dist/index.js';
import { addEventStreams } from './event-streams.ts';
import type { EventStreams } from './event-streams.ts';
import type { RegistryFixture } from './registry-fixture.ts';
import { ID, makeRegistry } from './setting.ts';
import { packPackage } from './tarballs.ts';

export const TARBALL = packPackage('1.0.0');
/** An artefact of the setting that has no events. */
export const QUIET = '@acme/quiet@1';

export interface WatchSetting {
  registry: RegistryFixture;
  streams: EventStreams;
  options: { registryUrl: string; ids: string[]; retries: number };
  /** Publishes a version of ID, and records the event. */
  publish: (version: string) => void;
  /** Counts the reads of QUIET. */
  countQuietReads: () => number;
}

/** Sets up a registry with a stream of events, the artefact ID and one that stays as it is. */
export async function makeWatchSetting(t: TestContext): Promise<WatchSetting> {
  const registry = await makeRegistry(t);
  const streams = addEventStreams(registry);
  registry.publish(ID, { noarch: TARBALL }, { version: '0' });
  registry.publish(QUIET, { noarch: TARBALL }, { version: '0' });
  return {
    registry,
    streams,
    options: { registryUrl: registry.url, ids: [ID, QUIET], retries: 0 },
    publish: (version) => {
      registry.publish(ID, { noarch: TARBALL }, { version });
      streams.emit(ID);
    },
    countQuietReads: () => registry.countRequests(encodeURIComponent(QUIET)),
  };
}

export interface RecordedWatch extends ArtefactWatch {
  updates: ArtefactUpdate[];
  errors: ({ code: string } & WatchErrorContext)[];
  /** The last update of an id. */
  last: (id: string) => ArtefactUpdate | undefined;
  /** The versions, or states, that were reported of an id, in order. */
  history: (id: string) => (string | undefined)[];
}

/** Longer than any test. */
export const NEVER_MS = 3_600_000;

/** Starts a watch that is closed after the test. By default, only the stream tells it about changes. */
export function startWatch(
  t: TestContext,
  options: Omit<WatchArtefactsOptions, 'onUpdate'> & Partial<Pick<WatchArtefactsOptions, 'onUpdate'>>,
): RecordedWatch {
  const updates: ArtefactUpdate[] = [];
  const errors: RecordedWatch['errors'] = [];
  const watch = watchArtefacts({
    pollIntervalMs: NEVER_MS,
    refreshIntervalMs: NEVER_MS,
    onError: (error, context) => {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      errors.push({ code, ...context });
    },
    ...options,
    onUpdate: async (update) => {
      updates.push(update);
      await options.onUpdate?.(update);
    },
  });
  t.after(() => watch.close());
  const of = (id: string): ArtefactUpdate[] => updates.filter((update) => update.id === id);
  return {
    ...watch,
    updates,
    errors,
    last: (id) => of(id).at(-1),
    history: (id) => of(id).map(({ artefact, state }) => artefact?.version ?? state),
  };
}
