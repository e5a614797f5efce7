import { defineError } from '../errors.ts';

export const TooManyAttemptsError = defineError('too_many_attempts', 429, 'Too many attempts');
