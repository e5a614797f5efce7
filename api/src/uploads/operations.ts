// Upload-Metadata: from the pairs of a tus client to an upload's target and form fields, and back.

import { FORMATS, UPLOAD_FIELDS, type Format, type Target, type UploadFields } from '../artefacts/index.ts';
import { UploadMetadataInvalidError } from './errors.ts';
import type { Metadata } from './tus-headers.ts';
import type { TusUpload } from './upload.ts';

/** What Uppy and others tell of every file unasked. The name of a file artefact is taken, the rest is passed over. */
const UNASKED_KEYS = ['filename', 'filetype', 'name', 'type', 'relativePath'];

/**
 * Reads what an upload is for.
 * @throws upload_metadata_invalid
 */
export function readMetadata(metadata: Metadata): { target: Target; fields: UploadFields } {
  const { id, format, ...rest } = metadata;
  if (!id) throw new UploadMetadataInvalidError('Upload-Metadata must name the artefact in "id".', missing('id'));
  if (!isFormat(format)) {
    const detail = `Upload-Metadata must hold "format", one of ${FORMATS.join(', ')}.`;
    throw new UploadMetadataInvalidError(detail, missing('format'));
  }
  const known: readonly string[] = UPLOAD_FIELDS[format];
  const fields = Object.entries(rest).filter(([key]) => !UNASKED_KEYS.includes(key));
  for (const [key] of fields) {
    if (known.includes(key)) continue;
    const detail = `Upload-Metadata has an unknown key: for ${format} it takes id, format, ${known.join(', ')}.`;
    const errors = [{ path: `/${key}`, message: 'is not a key of this format' }];
    throw new UploadMetadataInvalidError(detail, { errors });
  }
  const fileName = format === 'file' && rest['filename'];
  return { target: { id, format }, fields: { ...(fileName && { fileName }), ...Object.fromEntries(fields) } };
}

/** What HEAD answers: as the client gave it, but for keys that were passed over. */
export function writeMetadata({ target, fields }: Pick<TusUpload, 'target' | 'fields'>): Metadata {
  return { id: target.id, format: target.format, ...fields };
}

function isFormat(format: string | undefined): format is Format {
  return (FORMATS as readonly unknown[]).includes(format);
}

function missing(key: string) {
  return { errors: [{ path: `/${key}`, message: 'is missing or empty' }] };
}
