import { defineError } from '../errors.ts';

export const UserNotFoundError = defineError('user_not_found', 404, 'User not found');
export const EmailInvalidError = defineError('email_invalid', 400, 'Invalid e-mail address');
export const EmailTakenError = defineError('email_taken', 409, 'E-mail address in use');
export const LastSuperadminError = defineError('last_superadmin', 409, 'Last superadmin');
export const OrganizationNotFoundError = defineError('organization_not_found', 404, 'Organisation not found');
export const OrganizationExistsError = defineError('organization_exists', 409, 'Organisation already exists');
export const MemberNotFoundError = defineError('member_not_found', 404, 'Member not found');
export const DepartmentNotFoundError = defineError('department_not_found', 404, 'Department not found');
export const AccountNotAllowedError = defineError('account_not_allowed', 403, 'Account not allowed');
export const GrantNotFoundError = defineError('access_grant_not_found', 404, 'Access grant not found');
export const GrantExistsError = defineError('grant_exists', 409, 'Access grant already exists');
export const SessionNotFoundError = defineError('session_not_found', 404, 'Session not found');
export const CodeUsedError = defineError('code_used', 401, 'Code already used');
export const InvitationNotFoundError = defineError('invitation_not_found', 404, 'Invitation not found');
export const InvitationForAnotherError = defineError('invitation_for_another', 403, 'Invitation for another user');
export const InvitationNotMailedError = defineError('invitation_not_mailed', 503, 'Invitation not mailed', {
  retryAfterSeconds: 60,
});
export const InvitationFieldsError = defineError('invitation_fields_invalid', 400, 'Invalid acceptance fields');
export const SessionInvalidError = defineError('session_invalid', 401, 'Invalid session');
export const SignInBusyError = defineError('sign_in_busy', 503, 'Too many sign-ins', { retryAfterSeconds: 3 });
export const DirectoryUnavailableError = defineError('directory_unavailable', 503, 'Identity service unavailable', {
  retryAfterSeconds: 5,
});
export const OidcUnavailableError = defineError('oidc_unavailable', 503, 'OpenID provider unavailable', {
  retryAfterSeconds: 10,
});
export const AccountsInDirectoryError = defineError('accounts_in_directory', 404, 'Managed by the identity service');
