// Publishing: bytes stream into a blob and through the scanner in one pass, then one transaction swaps the slot.
// The multipart body is http/'s, blobs are blobs/'s, tarballs are read by tarballs/.

import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { enforce, isUnlimited, policy, uploaderOf, type Actor, type Caller, type KeyScopes, type Uploader } from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import type { BlobUpload, Blobs, FinishedBlob } from '../blobs/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { UploadTooLargeError, type MultipartFile } from '../http/index.ts';
import { createTarballScanner, type TarballLimits, type TarballScan, type TarballScanner } from '../tarballs/index.ts';
import { FILE_SLOT, NOARCH, type Artefact, type Format, type Slot } from './artefact.ts';
import { renderDocument, renderReceipt } from './document.ts';
import { FormatConflictError, KeyNoLongerValidError, MirroredConflictError, PackageNameConflictError } from './errors.ts';
import { formatFileIndex } from './file-index.ts';
import { assertArchitecture, assertArtefactId, assertCategory, assertFileName, filePath, nextDataDates, npmPath } from './operations.ts';
import { artefactRepository, type StoredArtefact } from './repository.ts';
import { scanRepository } from './scan-repository.ts';
import type { TransferCounts } from './transfer-counts.ts';
import { parseLocalisedField } from './upload-fields.ts';

export interface PublishOptions {
  database: Database;
  blobs: Blobs;
  limits: TarballLimits & { maxUploadBytes: number };
  categories: readonly string[];
  /** Returns the present scopes of an upload key, or undefined when it was revoked or has expired. */
  keyScopes: (tx: Tx, keyId: string) => Promise<KeyScopes | undefined>;
  counts: Pick<TransferCounts, 'countUpload'>;
  /** Told of what went wrong after the answer was already certain. */
  onError: (error: unknown) => void;
}

export const UPLOAD_FIELDS = {
  npm: ['architecture', 'category', 'title', 'description'],
  file: ['category', 'title', 'description', 'fileName'],
} as const;
export type UploadFields = Partial<Record<typeof UPLOAD_FIELDS[Format][number], string>>;

/** Reads the form: calls back with the file as it arrives, resolves with the other fields when the body has ended. */
export type ReadForm = (onFile: (file: MultipartFile) => Promise<void>) => Promise<UploadFields>;

/** What was read of the body: everything that the commit needs. */
interface Received { fields: UploadFields; blob: FinishedBlob; scan: TarballScan | undefined; fileIndex: string; fileName: string | undefined }

export type Publish = (actor: Actor, target: { id: string; format: Format }, readForm: ReadForm) => Promise<string>;

/**
 * Makes the function that takes in one upload and resolves with the artefact's document as JSON.
 * It throws what policy.commitUpload does, tarball and manifest errors, artefact_id_invalid, category_invalid,
 * field_invalid, format_conflict, mirrored, package_name_conflict, upload_too_large, storage_full; nothing is stored then.
 */
export function createPublish(options: PublishOptions): Publish {
  const { database, blobs } = options;

  return async (actor, target, readForm) => {
    enforce(policy.startUpload(actor.caller, target.id));
    assertArtefactId(target.id);
    refuseConflicts(await artefactRepository(database.db).find(target.id), target.format);

    const upload = await blobs.begin();
    try {
      const received = await receive(upload, target.format, readForm, options);
      const document = await database.transaction((tx) => commit(tx, actor, target, received, upload, options));
      upload.settle().catch(options.onError);
      options.counts.countUpload(target.id, received.blob.sizeBytes);
      return document;
    } catch (error) {
      await upload.abort().catch(options.onError);
      throw error;
    }
  };
}

async function receive(upload: BlobUpload, format: Format, readForm: ReadForm, { limits }: PublishOptions): Promise<Received> {
  const scanner = format === 'npm' ? createTarballScanner(limits) : undefined;
  let fileName: string | undefined;
  let scan: TarballScan | undefined;
  try {
    const fields = await readForm(async (file) => {
      fileName = file.fileName;
      await stream(file.content, upload, scanner, limits.maxUploadBytes);
      scan = await scanner?.finish();
    });
    return { fields, blob: await upload.finish(), scan, fileIndex: await formatFileIndex(scan?.files ?? []), fileName };
  } catch (error) {
    scanner?.abort();
    throw error;
  }
}

/** One pass, chunk by chunk as they arrive: an async iterator would join them first, copying every byte once more. */
async function stream(content: Readable, upload: BlobUpload, scanner: TarballScanner | undefined, maxUploadBytes: number): Promise<void> {
  const take = async (chunk: Uint8Array): Promise<void> => {
    if (upload.sizeBytes + chunk.length > maxUploadBytes) throw new UploadTooLargeError(`This registry takes uploads of at most ${maxUploadBytes} bytes (MAX_UPLOAD_BYTES).`);
    await Promise.all([upload.write(chunk), scanner?.write(chunk)]);
  };
  await pipeline(content, new Writable({ write(chunk: Uint8Array, _encoding, done) { take(chunk).then(() => done(), done); } }));
}

async function commit(tx: Tx, actor: Actor, target: { id: string; format: Format }, received: Received, upload: BlobUpload, options: PublishOptions): Promise<string> {
  const artefacts = artefactRepository(tx);
  const present = await artefacts.lock(target.id);
  refuseConflicts(present, target.format, received.scan?.manifest.name);

  const caller = await refreshed(tx, actor.caller, options.keyScopes);
  const { artefact, slot } = next(present?.artefact, target, received, uploaderOf(caller));
  assertCategory(artefact.category, target.format, options.categories);
  enforce(policy.commitUpload(caller, {
    ...target,
    category: artefact.category,
    ...(present && { presentCategory: present.artefact.category }),
    ...(artefact.packageName !== undefined && { packageName: artefact.packageName }),
  }));

  const slots = [...(present?.slots ?? []).filter(({ architecture }) => architecture !== slot.architecture), slot].sort((a, b) => (a.architecture < b.architecture ? -1 : 1));
  // The artefact first and the blob second, new or not: in both orders, uploads of equal bytes would lock each other out.
  if (present) await artefacts.update(artefact, slots);
  else if (!await artefacts.insert(artefact, slots)) throw new ConcurrentCreationError();
  await upload.adopt(tx);
  if (received.scan) await scanRepository(tx).put(slot.digest, received.scan, received.fileIndex);
  await artefacts.putSlot(artefact.id, slot);
  await appendAudit(tx, actor, {
    action: 'artefact.upload',
    targetType: 'artefact',
    targetId: artefact.id,
    details: { architecture: slot.architecture, digest: slot.digest, size: slot.sizeBytes, version: slot.version, category: artefact.category },
  });
  return isUnlimited(caller) ? renderDocument(artefact, slots, 'full').json : renderReceipt(artefact, slots, slot);
}

function next(previous: Artefact | undefined, { id, format }: { id: string; format: Format }, { fields, blob, scan, fileName }: Received, uploadedBy: Uploader): { artefact: Artefact; slot: Slot } {
  const dates = nextDataDates(previous, new Date());
  const manifest = scan?.manifest;
  const artefact: Artefact = {
    id, format, public: false, privateAccess: [], deprecated: false, createdAt: dates.updatedAt,
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
    return { artefact, slot: { ...common, architecture: FILE_SLOT, path, fileName: name, hasNativeModules: false, hasInstallScripts: false } };
  }
  const architecture = fields.architecture ?? NOARCH;
  assertArchitecture(architecture);
  const path = npmPath(id, architecture, blob.digest);
  return { artefact, slot: { ...common, architecture, path, version: scan.manifest.version, hasNativeModules: scan.hasNativeModules, hasInstallScripts: scan.hasInstallScripts } };
}

function refuseConflicts(present: StoredArtefact | undefined, format: Format, packageName?: string): void {
  if (!present) return;
  const { artefact } = present;
  if (artefact.origin) throw new MirroredConflictError(`This artefact is a mirror of ${artefact.origin}: upload it there, or choose another id.`);
  if (artefact.format !== format) throw new FormatConflictError(`The artefact with this id has the format ${artefact.format}: choose another id, or delete it first.`);
  if (packageName !== undefined && artefact.packageName !== packageName) {
    throw new PackageNameConflictError(`The artefact with this id holds the package ${artefact.packageName ?? ''}, not ${packageName}: choose another id.`);
  }
}

/** A key may have been revoked or narrowed while its upload was under way. */
async function refreshed(tx: Tx, caller: Caller, keyScopes: PublishOptions['keyScopes']): Promise<Parameters<typeof uploaderOf>[0]> {
  if (caller.kind === 'internal' || caller.kind === 'user') return caller;
  const scopes = caller.kind === 'upload-key' ? await keyScopes(tx, caller.key.id) : undefined;
  if (caller.kind !== 'upload-key' || !scopes) throw new KeyNoLongerValidError('The key was revoked or has expired while the upload was under way: nothing was stored.');
  return { ...caller, scopes };
}

/** Makes the transaction run again: the artefact was created by another upload between our look and our insert. */
class ConcurrentCreationError extends Error { readonly code = '40001'; }
