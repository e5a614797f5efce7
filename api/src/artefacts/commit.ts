// Commits an upload, however it was received: one transaction turns it into a slot of an artefact.

import {
  enforce,
  isUnlimited,
  policy,
  uploaderOf,
  type Actor,
  type Caller,
  type KeyScopes,
  type Uploader,
} from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import type { Tx } from '../db/index.ts';
import { FILE_SLOT, NOARCH, type Artefact, type Format, type Slot } from './artefact.ts';
import { renderDocuments, renderReceipt } from './document.ts';
import {
  FormatConflictError,
  KeyNoLongerValidError,
  MirroredConflictError,
  PackageNameConflictError,
} from './errors.ts';
import type { IngestResult } from './ingest.ts';
import { assertArchitecture, assertCategory, assertFileName, filePath, nextDataDates, npmPath } from './operations.ts';
import { artefactRepository, type StoredArtefact } from './repository.ts';
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
  /** Returns the current scopes of an upload key, or undefined if it was revoked or has expired. */
  keyScopes: (tx: Tx, keyId: string) => Promise<KeyScopes | undefined>;
}

/**
 * Commits an upload in the caller's transaction, and returns the document as JSON, rendered for the uploader. Key
 * validity, scopes and conflicts are checked as of now, not as of the start of the upload.
 */
export async function commitUpload(
  tx: Tx,
  actor: Actor,
  target: Target,
  upload: ReceivedUpload,
  options: CommitOptions,
): Promise<string> {
  const artefacts = artefactRepository(tx);
  const existing = await artefacts.lock(target.id);
  assertNoConflict(existing, target.format, upload.scan?.manifest.name);

  const caller = await refreshScopes(tx, actor.caller, options.keyScopes);
  const { artefact, slot } = mergeUpload(existing?.artefact, target, upload, uploaderOf(caller));
  assertCategory(artefact.category, target.format, options.categories);
  enforce(
    policy.commitUpload(caller, {
      ...target,
      category: artefact.category,
      ...(existing && { presentCategory: existing.artefact.category }),
      ...(artefact.packageName !== undefined && { packageName: artefact.packageName }),
    }),
  );

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
  await appendAudit(tx, actor, {
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
    },
  };
}

/** @throws mirrored, format_conflict, package_name_conflict */
export function assertNoConflict(existing: StoredArtefact | undefined, format: Format, packageName?: string): void {
  if (!existing) return;
  const { artefact } = existing;
  if (artefact.origin)
    throw new MirroredConflictError(
      `This artefact is a mirror of ${artefact.origin}: upload it there, or choose another id.`,
    );
  if (artefact.format !== format)
    throw new FormatConflictError(
      `The artefact with this id has the format ${artefact.format}: choose another id, or delete it first.`,
    );
  if (packageName !== undefined && artefact.packageName !== packageName) {
    throw new PackageNameConflictError(
      `The artefact with this id holds the package ${artefact.packageName ?? ''}, not ${packageName}: choose ` +
        'another id.',
    );
  }
}

/** Reloads the scopes of an upload key, which may have been revoked or narrowed during its upload. */
async function refreshScopes(
  tx: Tx,
  caller: Caller,
  keyScopes: CommitOptions['keyScopes'],
): Promise<Parameters<typeof uploaderOf>[0]> {
  if (caller.kind === 'internal' || caller.kind === 'user') return caller;
  const scopes = caller.kind === 'upload-key' ? await keyScopes(tx, caller.key.id) : undefined;
  if (caller.kind !== 'upload-key' || !scopes)
    throw new KeyNoLongerValidError(
      'The key was revoked or expired during the upload, and nothing was stored: upload again with a valid key.',
    );
  return { ...caller, scopes };
}
