import { defineError } from '../errors.ts';

export const DatabaseTooNewError = defineError('database_too_new', 500, 'Database newer than the program');
export const DatabaseUnavailableError = defineError('database_unavailable', 503, 'Database unavailable');
