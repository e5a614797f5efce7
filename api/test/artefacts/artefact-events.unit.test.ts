// What a synchronisation tells of a mirror: from two states of it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mirrorEvents } from '../../src/artefacts/artefact-events.ts';
import type { Artefact, Slot } from '../../src/artefacts/artefact.ts';

const NOON = '2026-01-31T12:00:00.000Z';
const LATER = '2026-01-31T13:00:00.000Z';

const artefact = (fields: Partial<Artefact> = {}): Artefact => ({
  ...{ id: 'a', format: 'npm', category: 'other', public: false, privateAccess: [], deprecated: false },
  ...{ uploadedBy: { internal: true }, createdAt: NOON, updatedAt: NOON, dataUpdatedAt: NOON, lastModifiedSeconds: 1 },
  ...fields,
});
const slot = (architecture: string, digest = 'sha256:0', uploadedAt = NOON): Slot => ({
  ...{ architecture, digest: digest as Slot['digest'], path: '', sizeBytes: 1, uploadedAt },
  ...{ uploadedBy: { internal: true }, hasNativeModules: false, hasInstallScripts: false, warnings: [] },
});
const state = (fields: Partial<Artefact> = {}, ...slots: Slot[]) => ({
  artefact: artefact(fields),
  slots: slots.length > 0 ? slots : [slot('noarch')],
});

type State = ReturnType<typeof state>;

const CASES: Record<string, [before: State | undefined, after: State, events: string[]]> = {
  'a new mirror': [undefined, state(), ['artefact.created noarch']],
  'nothing': [state(), state({ updatedAt: LATER }), []],
  'another digest': [state(), state({}, slot('noarch', 'sha256:1')), ['artefact.updated noarch']],
  'equal bytes, uploaded again': [
    state(),
    state({ dataUpdatedAt: LATER }, slot('noarch', 'sha256:0', LATER)),
    ['artefact.updated noarch'],
  ],
  'a date alone': [state(), state({ dataUpdatedAt: LATER }), ['artefact.updated noarch']],
  'one of two slots': [
    state({}, slot('arm64'), slot('x64')),
    state({}, slot('arm64'), slot('x64', 'sha256:1')),
    ['artefact.updated x64'],
  ],
  'a slot less': [
    state({}, slot('arm64'), slot('x64')),
    state({ dataUpdatedAt: LATER }, slot('x64')),
    ['slot.removed arm64'],
  ],
  'a slot for another': [
    state({}, slot('arm64')),
    state({}, slot('x64')),
    ['slot.removed arm64', 'artefact.updated x64'],
  ],
  'another format': [
    state({ format: 'file' }, slot('')),
    state({ format: 'npm', title: { en: 'New' } }),
    ['artefact.updated noarch', 'artefact.metadata_changed title'],
  ],
  'all at once': [
    state(),
    state({ deprecated: true, public: true, category: 'processing' }, slot('noarch', 'sha256:1')),
    [
      'artefact.updated noarch',
      'artefact.metadata_changed category',
      'artefact.access_changed true',
      'artefact.deprecated true',
    ],
  ],
};

describe('events of a mirror', () => {
  for (const [what, [before, after, expected]] of Object.entries(CASES))
    test(`of which there is ${what}`, () => {
      const described = mirrorEvents(before, after).map(({ type, data }) => {
        const { slots, ...others } = { slots: {}, ...data };
        const names = ['architecture', 'fields', 'public', 'deprecated'];
        const [value] = Object.entries(others).flatMap(([name, it]) => (names.includes(name) ? [String(it)] : []));
        return `${type} ${value ?? Object.keys(slots).join()}`;
      });
      assert.deepEqual(described, expected);
    });
});
