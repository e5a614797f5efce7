import { defineError } from '../errors.ts';

export const ApiKeyNotFoundError = defineError('api_key_not_found', 404, 'API key not found');
export const ApiKeyFieldsError = defineError('api_key_fields_invalid', 400, 'Invalid API key fields');
