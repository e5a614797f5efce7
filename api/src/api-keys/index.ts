export { createApiKeys } from './api-keys.ts';
export type { ApiKeys } from './api-keys.ts';
export { createExpiryEvents, createExpiryNotices, type ExpiryNoticeOptions } from './expiry.ts';
export { scopesOf, scopeWarnings } from './operations.ts';
export { countApiKeys } from './repository.ts';
export { scopeFields, warningFields } from './schemas.ts';
export type { UploadToken, UploadTokens } from './upload-tokens.ts';
export type { ApiKeysOptions } from './options.ts';
