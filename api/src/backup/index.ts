export { writeBackup, type BackupOptions, type BackupResult } from './backup.ts';
export { checkBackup, type CheckedBackup } from './check.ts';
export { RestoreIncompleteError } from './errors.ts';
export type { LostBlob, Manifest } from './layout.ts';
export type { BackupProgress } from './progress.ts';
export { isRestoreIncomplete } from './repository.ts';
export { restoreBackup, type RestoreOptions, type RestoreResult } from './restore.ts';
