// Commits an upload, however it was received: one transaction turns it into a slot of an artefact.

import { enforce, isUnlimited, policy, uploaderOf, type CurrentActor, type Uploader } from '../access/index.ts';
import type { Tx } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import { contentEvent, editEvents } from './artefact-events.ts';
import { FILE_SLOT, NOARCH, type Artefact, type Format, type Slot } from './artefact.ts';
import { renderDocuments, renderReceipt } from './document.ts';
import type { IngestResult } from './ingest.ts';
import {
  assertArchitecture,
  assertCategory,
  assertFileName,
  conflictOf,
  filePath,
  nextDataDates,
  npmPath,
} from './operations.ts';
import { artefactRepository } from './repository.ts';
import { scanRepository } from './scan-repository.ts';
import { parseLocalisedField } from './upload-fields.ts';

/** Destination of an upload. */
export interface Target {
  id: string;
  format: Format;
}

export const UPLOAD_FIELDS = {
  npm: ['architecture', 'category', 'title', 'description'],
  file: ['category', 'title', 'description', 'fileName'],
} as const;
export type UploadField = (typeof UPLOAD_FIELDS)[Format][number];
export type UploadFields = Partial<Record<UploadField, string>>;

/** A received upload, ready to be committed. */
export interface ReceivedUpload extends IngestResult {
  fields: UploadFields;
  /** Name of the file in a form. */
  fileName?: string | undefined;
}

export interface CommitOptions {
  categories: readonly string[];
}

/**
 * Commits an upload in the caller's transaction, and returns the document as JSON, rendered for the uploader.
 * Scopes and conflicts are checked as of now, not as of the start of the upload.
 * @param actor allowed by policy.startUpload
 */
export async function commitUpload(
  tx: Tx,
  actor: CurrentActor,
  target: Target,
  upload: ReceivedUpload,
  options: CommitOptions,
): Promise<string> {
  const artefacts = artefactRepository(tx);
  const stored = await artefacts.lock(target.id);

  const caller = actor.caller as Parameters<typeof uploaderOf>[0];
  const conflict = conflictOf(caller, stored?.artefact, target.format, upload.scan?.manifest.name);
  // A conflicting artefact counts as absent until the upload has passed all other checks: a key must not learn of it
  // by an upload that would have been refused anyway.
  const existing = conflict ? undefined : stored;
  const { artefact, slot } = mergeUpload(existing?.artefact, target, upload, uploaderOf(caller));
  enforce(
    policy.commitUpload(caller, {
      ...target,
      category: artefact.category,
      ...(existing && { presentCategory: existing.artefact.category }),
      ...(artefact.packageName !== undefined && { packageName: artefact.packageName }),
    }),
  );
  assertCategory(artefact.category, target.format, options.categories);
  if (conflict) throw conflict;

  const slots = [
    ...(existing?.slots ?? []).filter(({ architecture }) => architecture !== slot.architecture),
    slot,
  ].sort((a, b) => (a.architecture < b.architecture ? -1 : 1));
  // Locks are always taken in this order, the artefact before the blob: otherwise concurrent uploads of equal bytes
  // could deadlock.
  const documents = renderDocuments(artefact, slots);
  if (existing) await artefacts.update(artefact, documents);
  else await artefacts.insert(artefact, documents);
  await upload.blob.adopt(tx);
  if (upload.scan) await scanRepository(tx).put(slot.digest, upload.scan, upload.fileIndex);
  await artefacts.putSlot(artefact.id, slot);
  await recordChange(tx, actor, {
    action: 'artefact.upload',
    targetType: 'artefact',
    targetId: artefact.id,
    details: {
      architecture: slot.architecture,
      digest: slot.digest,
      size: slot.sizeBytes,
      version: slot.version,
      category: artefact.category,
    },
    events: existing
      ? [contentEvent('artefact.updated', artefact, [slot]), ...editEvents(existing.artefact, artefact)]
      : [contentEvent('artefact.created', artefact, [slot])],
  });
  return isUnlimited(caller) ? documents.full.json : renderReceipt(artefact, slots, slot);
}

/** Returns the artefact and the slot as they are after the upload. */
function mergeUpload(
  previous: Artefact | undefined,
  { id, format }: Target,
  { fields, blob, scan, fileName }: ReceivedUpload,
  uploadedBy: Uploader,
): { artefact: Artefact; slot: Slot } {
  const dates = nextDataDates(previous, new Date());
  const manifest = scan?.manifest;
  const artefact: Artefact = {
    id,
    format,
    public: false,
    privateAccess: [],
    deprecated: false,
    createdAt: dates.updatedAt,
    ...previous,
    ...dates,
    packageName: manifest?.name,
    version: manifest?.version,
    licence: manifest?.licence,
    packageDescription: manifest?.packageDescription,
    keywords: manifest?.keywords,
    links: manifest?.links,
    category: fields.category ?? manifest?.category ?? previous?.category ?? 'other',
    title: parseLocalisedField('title', fields.title) ?? previous?.title,
    description: parseLocalisedField('description', fields.description) ?? previous?.description,
    documentation: manifest?.documentation ?? previous?.documentation,
    processingConfigSchema: manifest?.processingConfigSchema,
    applicationConfigSchema: manifest?.applicationConfigSchema,
    uploadedBy,
  };
  const common = { digest: blob.digest, sizeBytes: blob.sizeBytes, uploadedAt: dates.dataUpdatedAt, uploadedBy };
  if (!scan) {
    const name = fields.fileName ?? fileName ?? id;
    if (name !== id) assertFileName(name);
    const path = filePath(id, name, blob.digest);
    return {
      artefact,
      slot: {
        ...common,
        architecture: FILE_SLOT,
        path,
        fileName: name,
        hasNativeModules: false,
        hasInstallScripts: false,
        warnings: [],
      },
    };
  }
  const architecture = fields.architecture ?? NOARCH;
  assertArchitecture(architecture);
  const path = npmPath(id, architecture, blob.digest);
  return {
    artefact,
    slot: {
      ...common,
      architecture,
      path,
      version: scan.manifest.version,
      hasNativeModules: scan.hasNativeModules,
      hasInstallScripts: scan.hasInstallScripts,
      warnings: scan.warnings,
      hasNativeCode: scan.hasNativeCode,
    },
  };
}
