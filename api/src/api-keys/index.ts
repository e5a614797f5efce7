export { createApiKeys } from './api-keys.ts';
export type { ApiKeys } from './api-keys.ts';
export { createExpiryNotices, type ExpiryNoticeOptions } from './expiry.ts';
export { scopesOf } from './operations.ts';
export { scopeFields } from './schemas.ts';
export type { UploadToken, UploadTokens } from './upload-tokens.ts';
export type { ApiKeysOptions } from './options.ts';
