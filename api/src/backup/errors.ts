import { defineError } from '../errors.ts';

/** It holds something else, is unfinished, or was changed since it was written. */
export const BackupInvalidError = defineError('backup_invalid', 409, 'Not a backup that can be used');
export const BackupTooNewError = defineError('backup_too_new', 409, 'Backup newer than the program');
export const BackupDirectoryFullError = defineError('backup_directory_full', 507, 'No room for the backup');
export const BackupDirectoryUnusableError = defineError(
  'backup_directory_unusable',
  500,
  'The folder of the backup cannot be used',
);
/** Bytes of artefacts are missing in the backup, or damaged. */
export const BackupLostBlobsError = defineError('backup_lost_blobs', 409, 'The backup has lost bytes');
export const RestoreTargetNotEmptyError = defineError('restore_target_not_empty', 409, 'Not an empty instance');
/** A restore was interrupted: neither does a server start on its half, nor is it backed up. */
export const RestoreIncompleteError = defineError('restore_incomplete', 503, 'Half-restored instance');
