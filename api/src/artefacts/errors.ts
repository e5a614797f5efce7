import { defineError } from '../errors.ts';

export const ArtefactIdInvalidError = defineError('artefact_id_invalid', 400, 'Invalid artefact id');
export const ArchitectureInvalidError = defineError('architecture_invalid', 400, 'Invalid architecture');
export const CategoryInvalidError = defineError('category_invalid', 400, 'Invalid category');
export const FieldInvalidError = defineError('field_invalid', 400, 'Invalid form field');
export const FileNameInvalidError = defineError('file_name_invalid', 400, 'Invalid file name');
export const FormatConflictError = defineError('format_conflict', 409, 'Artefact of another format');
export const PackageNameConflictError = defineError('package_name_conflict', 409, 'Artefact of another package');
export const MirroredConflictError = defineError('mirrored', 409, 'Artefact is a mirror');
export const MirroredReadOnlyError = defineError('mirrored_read_only', 403, 'Artefact is a mirror');
export const SlotNotFoundError = defineError('slot_not_found', 404, 'No such slot');
export const NotATarballError = defineError('not_a_tarball', 400, 'Artefact is no npm tarball');
export const KeyNoLongerValidError = defineError('api_key_revoked', 401, 'API key revoked meanwhile');
export const ReadmeNotFoundError = defineError('readme_not_found', 404, 'No README');
export const FileNotFoundError = defineError('file_not_found', 404, 'No such file in the package');
