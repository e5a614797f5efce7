// Converts Upload-Metadata pairs to an upload's target and form fields, and back.

import { FORMATS, UPLOAD_FIELDS, type Format, type Target, type UploadFields } from '../artefacts/index.ts';
import { quote } from '../errors.ts';
import { UploadMetadataInvalidError } from './errors.ts';
import type { Metadata } from './tus-headers.ts';
import type { TusUpload } from './upload.ts';

/**
 * Keys that Uppy, tus-js-client and other clients send by default or by custom. The name of a file artefact is used,
 * the rest is passed over.
 */
export const CLIENT_KEYS = [
  'filename',
  'name',
  'filetype',
  'type',
  'relativePath',
  'caption',
  'license',
  'filesize',
  'size',
  'mimetype',
  'contentType',
  'lastModified',
];

/**
 * Reads the target and the form fields of an upload. Empty values count as absent, as in a form.
 * @throws upload_metadata_invalid
 */
export function readMetadata(metadata: Metadata): { target: Target; fields: UploadFields } {
  const { id, format, ...rest } = metadata;
  if (!id)
    throw new UploadMetadataInvalidError(
      'Upload-Metadata has no id: send that of the artefact in "id".',
      missing('id'),
    );
  if (!isFormat(format)) {
    const found = format ? `has the format ${quote(format)}` : 'has no format';
    const detail = `Upload-Metadata ${found}: send one of ${FORMATS.join(', ')} in "format", as Base64.`;
    throw new UploadMetadataInvalidError(detail, missing('format'));
  }
  const known: readonly string[] = UPLOAD_FIELDS[format];
  const fields = Object.entries(rest).filter(([key]) => !CLIENT_KEYS.includes(key));
  for (const [key] of fields) {
    if (known.includes(key)) continue;
    const detail =
      `Upload-Metadata has the unknown key ${quote(key)}: the keys of an upload of the format ${format} are ` +
      `id, format, ${known.join(', ')}.`;
    const errors = [{ path: `/${key}`, message: 'is not a key of this format' }];
    throw new UploadMetadataInvalidError(detail, { errors });
  }
  const fileName = format === 'file' && (rest['filename'] || rest['name']);
  const given = Object.fromEntries(fields.filter(([, value]) => value !== ''));
  return { target: { id, format }, fields: { ...(fileName && { fileName }), ...given } };
}

/** Builds the metadata for HEAD responses: as sent by the client, without the ignored keys. */
export function writeMetadata({ target, fields }: Pick<TusUpload, 'target' | 'fields'>): Metadata {
  return { id: target.id, format: target.format, ...fields };
}

function isFormat(format: string | undefined): format is Format {
  return (FORMATS as readonly unknown[]).includes(format);
}

function missing(key: string) {
  return { errors: [{ path: `/${key}`, message: 'is missing or empty' }] };
}
