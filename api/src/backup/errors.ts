import { defineError } from '../errors.ts';

/** The directory contains something else, an unfinished backup, or one that was changed since it was written. */
export const BackupInvalidError = defineError('backup_invalid', 409, 'Not a usable backup');
export const BackupTooNewError = defineError('backup_too_new', 409, 'Backup newer than the program');
export const BackupDirectoryFullError = defineError('backup_directory_full', 507, 'Backup directory full');
export const BackupDirectoryUnusableError = defineError('backup_directory_unusable', 500, 'Backup directory unusable');
/** Blobs are missing or damaged in the backup. */
export const BackupLostBlobsError = defineError('backup_lost_blobs', 409, 'Backup lacks blobs');
export const RestoreTargetNotEmptyError = defineError('restore_target_not_empty', 409, 'Restore target not empty');
/** A restore was interrupted. Until it is completed, no server starts on the instance and it cannot be backed up. */
export const RestoreIncompleteError = defineError('restore_incomplete', 503, 'Restore incomplete');
