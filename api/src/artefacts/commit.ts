// The one transaction in which an upload, whichever way it came in, becomes a slot of an artefact.

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
import type { Ingested } from './ingest.ts';
import { assertArchitecture, assertCategory, assertFileName, filePath, nextDataDates, npmPath } from './operations.ts';
import { artefactRepository, type StoredArtefact } from './repository.ts';
import { scanRepository } from './scan-repository.ts';
import { parseLocalisedField } from './upload-fields.ts';

/** Where an upload goes. */
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

/** Everything that a commit needs of what was sent. */
export interface Received extends Ingested {
  fields: UploadFields;
  /** Of the file's part of a form. */
  fileName?: string | undefined;
}

export interface CommitOptions {
  categories: readonly string[];
  /** Returns the present scopes of an upload key, or undefined when it was revoked or has expired. */
  keyScopes: (tx: Tx, keyId: string) => Promise<KeyScopes | undefined>;
}

/**
 * Commits what was received, in the transaction of the caller, and returns the document as the uploader gets it.
 * Key validity, scopes and conflicts are as they are now, whatever they were when the upload began.
 */
export async function commitUpload(
  tx: Tx,
  actor: Actor,
  target: Target,
  received: Received,
  options: CommitOptions,
): Promise<string> {
  const artefacts = artefactRepository(tx);
  const present = await artefacts.lock(target.id);
  refuseConflicts(present, target.format, received.scan?.manifest.name);

  const caller = await refreshed(tx, actor.caller, options.keyScopes);
  const { artefact, slot } = next(present?.artefact, target, received, uploaderOf(caller));
  assertCategory(artefact.category, target.format, options.categories);
  enforce(
    policy.commitUpload(caller, {
      ...target,
      category: artefact.category,
      ...(present && { presentCategory: present.artefact.category }),
      ...(artefact.packageName !== undefined && { packageName: artefact.packageName }),
    }),
  );

  const slots = [
    ...(present?.slots ?? []).filter(({ architecture }) => architecture !== slot.architecture),
    slot,
  ].sort((a, b) => (a.architecture < b.architecture ? -1 : 1));
  // The artefact first and the blob second, new or not: in both orders, uploads of equal bytes would lock each other
  // out.
  const documents = renderDocuments(artefact, slots);
  if (present) await artefacts.update(artefact, documents);
  else if (!(await artefacts.insert(artefact, documents))) throw new ConcurrentCreationError();
  await received.blob.adopt(tx);
  if (received.scan) await scanRepository(tx).put(slot.digest, received.scan, received.fileIndex);
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

function next(
  previous: Artefact | undefined,
  { id, format }: Target,
  { fields, blob, scan, fileName }: Received,
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
export function refuseConflicts(present: StoredArtefact | undefined, format: Format, packageName?: string): void {
  if (!present) return;
  const { artefact } = present;
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

/** A key may have been revoked or narrowed while its upload was under way. */
async function refreshed(
  tx: Tx,
  caller: Caller,
  keyScopes: CommitOptions['keyScopes'],
): Promise<Parameters<typeof uploaderOf>[0]> {
  if (caller.kind === 'internal' || caller.kind === 'user') return caller;
  const scopes = caller.kind === 'upload-key' ? await keyScopes(tx, caller.key.id) : undefined;
  if (caller.kind !== 'upload-key' || !scopes)
    throw new KeyNoLongerValidError(
      'The key was revoked or has expired while the upload was under way: nothing was stored.',
    );
  return { ...caller, scopes };
}

/** Makes the transaction run again: the artefact was created by another upload between our look and our insert. */
class ConcurrentCreationError extends Error {
  readonly code = '40001';
}
