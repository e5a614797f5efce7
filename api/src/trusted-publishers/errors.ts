import { defineError } from '../errors.ts';

export const PublisherNotFoundError = defineError('trusted_publisher_not_found', 404, 'Trusted publisher not found');
export const PublisherFieldsError = defineError('trusted_publisher_invalid', 400, 'Invalid trusted publisher fields');
export const PublisherNotTrustedError = defineError('publisher_not_trusted', 403, 'Publisher not trusted');
export const IdentityTokenInvalidError = defineError('identity_token_invalid', 401, 'Invalid identity token');
export const IdentityTokenUsedError = defineError('identity_token_used', 401, 'Identity token already used');
export const IssuerUnavailableError = defineError('issuer_unavailable', 503, 'Issuer unavailable', {
  retryAfterSeconds: 5,
});
