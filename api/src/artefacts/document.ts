// Renders artefacts as JSON documents. They are rendered once, in the transaction that changes them, and stored. Those
// of an older DOCUMENT_VERSION are rendered for each request until render-job.ts has renewed them.

import { createHash } from 'node:crypto';
import type { TarballWarning } from '../tarballs/index.ts';
import type { Artefact, Slot } from './artefact.ts';
import { lastUploaded, slotForDownload } from './operations.ts';

/**
 * Increase it when documents of the same record change, or the columns that artefacts are listed by: what older
 * versions have stored is then rendered anew.
 */
export const DOCUMENT_VERSION = 1;

/** Who reads the document: `full` also includes the uploader, the access list, and
 * the paths of warnings. */
export type Audience = 'full' | 'limited';

export interface RenderedDocument {
  json: string;
  etag: string;
}

export type Documents = Record<Audience, RenderedDocument>;

/** Renders the documents for all audiences. */
export function renderDocuments(artefact: Artefact, slots: readonly Slot[]): Documents {
  return { full: renderDocument(artefact, slots, 'full'), limited: renderDocument(artefact, slots, 'limited') };
}

/** Renders a document and its entity tag. */
export function renderDocument(artefact: Artefact, slots: readonly Slot[], audience: Audience): RenderedDocument {
  const json = JSON.stringify(toDocument(artefact, slots, audience));
  return { json, etag: `"${createHash('sha256').update(json).digest('base64url').slice(0, 22)}"` };
}

/** Renders the response to an upload: the limited document, and the uploader of the new slot. */
export function renderReceipt(artefact: Artefact, slots: readonly Slot[], uploaded: Slot): string {
  const document = toDocument(artefact, slots, 'limited');
  const tarballs = Object.fromEntries(
    slots.map((slot) => [slot.architecture, tarball(slot, slot === uploaded ? 'full' : 'limited')]),
  );
  return JSON.stringify({
    ...document,
    ...(artefact.format === 'npm' && { tarballs }),
    uploadedBy: artefact.uploadedBy,
  });
}

function toDocument(artefact: Artefact, slots: readonly Slot[], audience: Audience): Record<string, unknown> {
  const servedSlot = slotForDownload(slots, undefined);
  return {
    _id: artefact.id,
    name: artefact.id,
    format: artefact.format,
    packageName: artefact.packageName,
    version: artefact.version,
    licence: artefact.licence,
    packageDescription: artefact.packageDescription,
    keywords: artefact.keywords,
    links: artefact.links,
    category: artefact.category,
    ...(artefact.format === 'npm' ? npmFields(slots, audience) : fileFields(servedSlot)),
    path: servedSlot?.path,
    hasNativeModules: servedSlot?.hasNativeModules ?? false,
    size: lastUploaded(slots)?.sizeBytes ?? 0,
    title: artefact.title,
    description: artefact.description,
    group: artefact.group,
    documentation: artefact.documentation,
    processingConfigSchema: artefact.processingConfigSchema,
    applicationConfigSchema: artefact.applicationConfigSchema,
    thumbnail: artefact.thumbnail,
    public: artefact.public,
    privateAccess: audience === 'full' ? artefact.privateAccess : [],
    deprecated: artefact.deprecated,
    origin: artefact.origin,
    uploadedBy: audience === 'full' ? (servedSlot?.uploadedBy ?? artefact.uploadedBy) : undefined,
    createdAt: artefact.createdAt,
    updatedAt: artefact.updatedAt,
    dataUpdatedAt: artefact.dataUpdatedAt,
  };
}

function npmFields(slots: readonly Slot[], audience: Audience): { tarballs: Record<string, unknown> } {
  return { tarballs: Object.fromEntries(slots.map((slot) => [slot.architecture, tarball(slot, audience)])) };
}

function tarball(slot: Slot, audience: Audience): Record<string, unknown> {
  return {
    path: slot.path,
    size: slot.sizeBytes,
    digest: slot.digest,
    version: slot.version,
    uploadedAt: slot.uploadedAt,
    uploadedBy: audience === 'full' ? slot.uploadedBy : undefined,
    hasNativeModules: slot.hasNativeModules,
    hasNativeCode: slot.hasNativeCode,
    hasInstallScripts: slot.hasInstallScripts,
    warnings: slot.warnings.length > 0 ? slot.warnings.map((warning) => renderWarning(warning, audience)) : undefined,
  };
}

/** Like the list of files, the names are not for everybody who sees the artefact. */
function renderWarning({ code, count, paths }: TarballWarning, audience: Audience): Record<string, unknown> {
  return { code, count, paths: audience === 'full' ? paths : undefined };
}

function fileFields(slot: Slot | undefined): Record<string, unknown> {
  return { filePath: slot?.path, fileName: slot?.fileName, digest: slot?.digest };
}
