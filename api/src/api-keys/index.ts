export { createApiKeys } from './api-keys.ts';
export type { ApiKeys } from './api-keys.ts';
export { createExpiryNotices, type ExpiryNoticeOptions } from './expiry.ts';
export type { ApiKeysOptions } from './options.ts';
