import { defineError } from '../errors.ts';

export const UnauthenticatedError = defineError('unauthenticated', 401, 'Authentication required');
export const ForbiddenError = defineError('forbidden', 403, 'Not allowed');
export const SecretKeyWrongError = defineError('secret_key_wrong', 401, 'Invalid internal secret');
export const SecretKeyThroughProxyError = defineError(
  'secret_key_through_proxy',
  421,
  'Internal secret sent through the public proxy',
);
export const AccountHeaderInvalidError = defineError('account_header_invalid', 400, 'Malformed x-account header');
export const AccountReadOnlyError = defineError('account_read_only', 403, 'Read-only access for an account');
export const ApiKeyInvalidError = defineError('api_key_invalid', 401, 'Unknown or expired API key');
export const ApiKeyRevokedError = defineError('api_key_revoked', 401, 'API key revoked during the request');
export const SessionEndedError = defineError('session_ended', 401, 'Session ended during the request');
export const CrossOriginError = defineError('cross_origin', 403, 'Cross-origin request');
export const SessionReadOnlyError = defineError('session_read_only', 403, 'Read-only session');
export const KeyScopeError = defineError('key_scope', 403, 'Outside the scope of the key');
export const NoAccessGrantError = defineError('no_access_grant', 403, 'No access grant');
export const NotSharedError = defineError('not_shared', 403, 'Not shared with the account');
export const NotVisibleError = defineError('artefact_not_found', 404, 'Artefact not found');
export const UploadNotFoundError = defineError('upload_not_found', 404, 'Upload not found');
