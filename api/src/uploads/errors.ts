import { defineError } from '../errors.ts';

export const TusVersionError = defineError('tus_version_unsupported', 412, 'Unsupported tus version');
export const TusHeaderInvalidError = defineError('tus_header_invalid', 400, 'Invalid tus header');
export const TusExtensionError = defineError('tus_extension_unsupported', 501, 'Unsupported tus extension');
export const UploadMetadataInvalidError = defineError('upload_metadata_invalid', 400, 'Invalid Upload-Metadata');
export const UploadOffsetError = defineError('upload_offset_conflict', 409, 'Upload offset conflict');
export const UploadLockedError = defineError('upload_locked', 423, 'Upload in use by another request');
export const TooManyUploadsError = defineError('too_many_uploads', 429, 'Too many open uploads', {
  retryAfterSeconds: 60,
});
export const UploadGoneError = defineError('upload_gone', 410, 'Upload expired or lost');
