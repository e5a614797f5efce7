export { createApiKeys } from './api-keys.ts';
export type { ApiKeys } from './api-keys.ts';
export type { ApiKeysOptions } from './options.ts';
