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

/** What the audit calls signing in, whichever way. */
export const SIGN_IN = 'session.sign-in';
export const PASSWORD_SIGN_IN = '/sign-in/email';

export const AUTH_CALLS: readonly AuthCall[] = [
  {
    method: 'POST', path: PASSWORD_SIGN_IN, summary: 'Sign in with a password; sets the session cookie', action: SIGN_IN,
    body: Type.Object({ email: Type.String(), password: Type.String(), rememberMe: Type.Optional(Type.Boolean()) }),
  },
  { method: 'POST', path: '/sign-out', summary: 'End the session', action: 'session.sign-out' },
  { method: 'GET', path: '/get-session', summary: 'Get the session as better-auth\'s clients read it' },
  {
    method: 'POST', path: '/change-password', summary: 'Change one\'s password', action: 'user.change-password',
    body: Type.Object({ currentPassword: Type.String(), newPassword: Type.String(), revokeOtherSessions: Type.Optional(Type.Boolean()) }),
  },
];

/** With an OpenID provider. */
export const OIDC_CALLS: readonly AuthCall[] = [
  {
    method: 'POST', path: '/sign-in/social', summary: 'Begin to sign in through the OpenID provider; the answer says where to go on',
    body: Type.Object({ provider: Type.Literal('oidc'), callbackURL: Type.Optional(Type.String()), errorCallbackURL: Type.Optional(Type.String()) }),
  },
  { method: 'GET', path: '/callback/oidc', summary: 'Where the OpenID provider sends users back to; sets the session cookie', action: SIGN_IN },
];
