import { defineError } from '../errors.ts';

export const UserNotFoundError = defineError('user_not_found', 404, 'User not found');
export const EmailInvalidError = defineError('email_invalid', 400, 'Invalid e-mail address');
export const EmailTakenError = defineError('email_taken', 409, 'E-mail address in use');
export const LastSuperadminError = defineError('last_superadmin', 409, 'Last superadmin');
export const OrganizationNotFoundError = defineError('organization_not_found', 404, 'Organisation not found');
export const OrganizationExistsError = defineError('organization_exists', 409, 'Organisation exists');
export const MemberNotFoundError = defineError('member_not_found', 404, 'Member not found');
export const DepartmentNotFoundError = defineError('department_not_found', 404, 'Department not found');
export const AccountNotAllowedError = defineError('account_not_allowed', 403, 'Account not allowed');
export const AccountInvalidError = defineError('account_invalid', 400, 'Invalid account');
export const GrantNotFoundError = defineError('access_grant_not_found', 404, 'Access grant not found');
export const GrantExistsError = defineError('grant_exists', 409, 'Access grant exists');
export const SessionInvalidError = defineError('session_invalid', 401, 'Invalid session');
export const DirectoryUnavailableError = defineError('directory_unavailable', 503, 'Identity service unavailable');
export const AccountsInDirectoryError = defineError('accounts_in_directory', 404, 'Managed by the identity service');
