// What of better-auth can be reached from outside; everything else of it is no path. Users and organisations are
// changed through /api/v1 alone, where the policy, the last superadmin and the audit are minded.

import { Type, type TObject } from 'typebox';

/** Headers that gateway.ts writes over whatever a client sent under these names. */
export const CLIENT_ADDRESS_HEADER = 'x-berth-ip';
export const REQUEST_ORIGIN_HEADER = 'x-berth-origin';

export interface AuthCall {
  method: 'GET' | 'POST';
  path: string;
  summary: string;
  /** For the description: better-auth validates it. */
  body?: TObject;
  /** What the audit calls it; reading is not audited. */
  action?: string;
}

export const AUTH_CALLS: readonly AuthCall[] = [
  {
    method: 'POST', path: '/sign-in/email', summary: 'Sign in with a password; sets the session cookie', action: 'session.sign-in',
    body: Type.Object({ email: Type.String(), password: Type.String(), rememberMe: Type.Optional(Type.Boolean()) }),
  },
  { method: 'POST', path: '/sign-out', summary: 'End the session', action: 'session.sign-out' },
  { method: 'GET', path: '/get-session', summary: 'Get the session as better-auth\'s clients read it' },
  {
    method: 'POST', path: '/change-password', summary: 'Change one\'s password', action: 'user.change-password',
    body: Type.Object({ currentPassword: Type.String(), newPassword: Type.String(), revokeOtherSessions: Type.Optional(Type.Boolean()) }),
  },
];
