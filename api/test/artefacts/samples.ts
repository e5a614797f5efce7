// Sample artefacts and slots.

import type { Artefact, Slot } from '../../src/artefacts/artefact.ts';

const AT = '2026-01-01T00:00:00.000Z';

export function sampleArtefact(changes: Partial<Artefact> = {}): Artefact {
  return {
    id: '@acme/plugin@1',
    format: 'npm',
    packageName: '@acme/plugin',
    version: '1.0.0',
    category: 'processing',
    public: false,
    privateAccess: [],
    deprecated: false,
    uploadedBy: { internal: true },
    createdAt: AT,
    updatedAt: AT,
    dataUpdatedAt: AT,
    lastModifiedSeconds: Date.parse(AT) / 1000,
    ...changes,
  };
}

export function sampleSlot(changes: Partial<Slot> = {}): Slot {
  return {
    architecture: 'noarch',
    digest: `sha256:${'a'.repeat(64)}`,
    path: 'npm/@acme/plugin@1/noarch-aaaaaaaaaaaaaaaa.tgz',
    sizeBytes: 100,
    version: '1.0.0',
    uploadedAt: AT,
    uploadedBy: { internal: true },
    hasNativeModules: false,
    hasInstallScripts: false,
    warnings: [],
    ...changes,
  };
}
