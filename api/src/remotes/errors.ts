import { defineError } from '../errors.ts';

export const RemoteUrlInvalidError = defineError('remote_url_invalid', 400, 'Invalid registry URL');
export const RemoteExistsError = defineError('remote_exists', 409, 'Remote registry already exists');
export const RemoteNotFoundError = defineError('remote_not_found', 404, 'Remote registry not found');
export const RemoteKeyUnreadableError = defineError(
  'remote_key_unreadable',
  409,
  'Key of the remote registry unreadable',
);
export const ScheduleInvalidError = defineError('schedule_invalid', 400, 'Invalid schedule');
export const AlreadySelectedError = defineError('already_selected', 409, 'Artefact already selected');
export const NotSelectedError = defineError('not_selected', 404, 'Artefact not selected');
export const SelectionConflictError = defineError('selection_conflict', 409, 'Artefact id already in use');
export const SyncRunningError = defineError('sync_running', 409, 'Synchronisation in progress');
export const SyncParkedError = defineError('sync_parked', 409, 'Synchronisation parked');
export const ThumbnailIdInvalidError = defineError('thumbnail_id_invalid', 400, 'Invalid thumbnail id');
