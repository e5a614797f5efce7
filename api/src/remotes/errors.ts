import { defineError } from '../errors.ts';

export const RemoteUrlInvalidError = defineError('remote_url_invalid', 400, 'Invalid URL of a registry');
export const RemoteExistsError = defineError('remote_exists', 409, 'Remote registry is known');
export const RemoteNotFoundError = defineError('remote_not_found', 404, 'No such remote registry');
export const RemoteUnavailableError = defineError('remote_unavailable', 502, 'Remote registry is out of reach');
export const RemoteRefusedError = defineError('remote_refused', 502, 'Remote registry refuses');
export const RemoteAnswerInvalidError = defineError('remote_answer_invalid', 502, 'Remote registry answers what cannot be used');
export const ScheduleInvalidError = defineError('schedule_invalid', 400, 'Invalid schedule');
export const PatternInvalidError = defineError('pattern_invalid', 400, 'Invalid pattern');
export const AlreadySelectedError = defineError('already_selected', 409, 'Artefact is selected already');
export const NotSelectedError = defineError('not_selected', 404, 'Artefact is not selected');
export const SelectionConflictError = defineError('selection_conflict', 409, 'Id is taken');
export const SyncRunningError = defineError('sync_running', 409, 'A synchronisation is under way');
export const ThumbnailIdInvalidError = defineError('thumbnail_id_invalid', 400, 'Invalid thumbnail id');
export const CarriageInvalidError = defineError('carriage_invalid', 400, 'Not a usable carriage file');

/** The document was read before the bytes were replaced: it is worth reading it again. Never leaves the slice. */
export class SlotMovedError extends Error { override readonly name = 'SlotMovedError'; }
