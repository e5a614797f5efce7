import { defineError } from '../errors.ts';

export const PatternInvalidError = defineError('pattern_invalid', 400, 'Invalid pattern');
