// Upload-Metadata: from the pairs of a tus client to an upload's target and form fields, and back.

import { FORMATS, UPLOAD_FIELDS, type Format, type Target, type UploadFields } from '../artefacts/index.ts';
import { UploadMetadataInvalidError } from './errors.ts';
import type { ResumableUpload } from './upload.ts';

export type Metadata = Record<string, string | null>;

/**
 * Reads what an upload is for.
 * @param metadata decoded: `{ id: '@acme/maps', format: 'file', fileName: 'maps.pmtiles' }`; a key without a value is an empty text
 * @throws upload_metadata_invalid
 */
export function readMetadata(metadata: Metadata): { target: Target; fields: UploadFields } {
  const { id, format, ...rest } = metadata;
  if (!id) throw new UploadMetadataInvalidError('Upload-Metadata must name the artefact in "id".', missing('id'));
  if (!isFormat(format)) throw new UploadMetadataInvalidError(`Upload-Metadata must hold "format", one of ${FORMATS.join(', ')}.`, missing('format'));
  const known: readonly string[] = UPLOAD_FIELDS[format];
  for (const key of Object.keys(rest)) {
    if (!known.includes(key)) throw new UploadMetadataInvalidError(`Upload-Metadata has an unknown key: for ${format} it takes id, format, ${known.join(', ')}.`, { errors: [{ path: `/${key}`, message: 'is not a key of this format' }] });
  }
  return { target: { id, format }, fields: Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, value ?? ''])) };
}

/** As the client gave it: what HEAD answers (tus 1.0, Upload-Metadata). */
export function writeMetadata({ target, fields }: Pick<ResumableUpload, 'target' | 'fields'>): Metadata {
  return { id: target.id, format: target.format, ...Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value === '' ? null : value])) };
}

function isFormat(format: string | null | undefined): format is Format { return (FORMATS as readonly unknown[]).includes(format); }

function missing(key: string) { return { errors: [{ path: `/${key}`, message: 'is missing or empty' }] }; }
