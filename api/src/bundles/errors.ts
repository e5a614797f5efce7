import { defineError } from '../errors.ts';

export const BundleInvalidError = defineError('bundle_invalid', 400, 'Invalid bundle');
