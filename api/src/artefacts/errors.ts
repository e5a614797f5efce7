import { defineError } from '../errors.ts';

export const ArtefactIdInvalidError = defineError('artefact_id_invalid', 400, 'Invalid artefact id');
export const ArtefactIdTakenError = defineError('artefact_id_taken', 409, 'Artefact id in use');
export const ArchitectureInvalidError = defineError('architecture_invalid', 400, 'Invalid architecture');
export const CategoryInvalidError = defineError('category_invalid', 400, 'Invalid category');
export const FieldInvalidError = defineError('field_invalid', 400, 'Invalid form field');
export const FileNameInvalidError = defineError('file_name_invalid', 400, 'Invalid file name');
export const FormatConflictError = defineError('format_conflict', 409, 'Artefact has another format');
export const PackageNameConflictError = defineError('package_name_conflict', 409, 'Artefact holds another package');
export const MirroredConflictError = defineError('mirrored', 409, 'Artefact is a mirror');
export const MirroredReadOnlyError = defineError('mirrored_read_only', 403, 'Artefact is a mirror');
export const SlotNotFoundError = defineError('slot_not_found', 404, 'Slot not found');
export const NotATarballError = defineError('not_a_tarball', 400, 'Not an npm tarball');
export const ReadmeNotFoundError = defineError('readme_not_found', 404, 'README not found');
export const TarballReadsBusyError = defineError('tarball_reads_busy', 503, 'Too many reads of tarballs', {
  retryAfterSeconds: 5,
});
export const FileNotFoundError = defineError('file_not_found', 404, 'File not found in the package');
