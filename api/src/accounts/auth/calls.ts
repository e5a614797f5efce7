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
/** Its second half, and the first code of an app. */
export const SECOND_FACTOR = 'session.verify-second-factor';
export const PASSWORD_SIGN_IN = '/sign-in/email';
export const OIDC_SIGN_IN = '/sign-in/social';

export const AUTH_CALLS: readonly AuthCall[] = [
  {
    method: 'POST',
    path: PASSWORD_SIGN_IN,
    summary: 'Sign in with a password; sets the session cookie',
    action: SIGN_IN,
    body: Type.Object({ email: Type.String(), password: Type.String(), rememberMe: Type.Optional(Type.Boolean()) }),
  },
  { method: 'POST', path: '/sign-out', summary: 'End the session', action: 'session.sign-out' },
  { method: 'GET', path: '/get-session', summary: "Get the session as better-auth's clients read it" },
  {
    method: 'POST',
    path: '/change-password',
    summary: "Change one's password",
    action: 'user.change-password',
    body: Type.Object({
      currentPassword: Type.String(),
      newPassword: Type.String(),
      revokeOtherSessions: Type.Optional(Type.Boolean()),
    }),
  },
  {
    method: 'POST',
    path: '/request-password-reset',
    summary:
      'Have a link mailed with which to set another password; the answer is the same whether there is such a ' +
      'user or not',
    action: 'user.request-password-reset',
    body: Type.Object({ email: Type.String() }),
  },
  {
    method: 'POST',
    path: '/reset-password',
    summary: 'Set another password with the token of a link, once; ends all sessions of the user',
    action: 'user.reset-password',
    body: Type.Object({ newPassword: Type.String(), token: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/enable',
    summary: 'Begin to ask for a second factor; verifying a first code makes it so',
    action: 'user.enable-second-factor',
    body: Type.Object({ password: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/disable',
    summary: 'Ask for no second factor any more',
    action: 'user.disable-second-factor',
    body: Type.Object({ password: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/get-totp-uri',
    summary: 'Show the secret to an app that makes codes',
    action: 'user.show-second-factor',
    body: Type.Object({ password: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/generate-backup-codes',
    summary: 'Make new codes for when the app is lost; earlier ones are void',
    action: 'user.make-backup-codes',
    body: Type.Object({ password: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/verify-totp',
    summary: 'Go on with a code of the app',
    action: SECOND_FACTOR,
    body: Type.Object({ code: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/verify-backup-code',
    summary: 'Go on with a code that was kept for this',
    action: SECOND_FACTOR,
    body: Type.Object({ code: Type.String() }),
  },
];

/** With an OpenID provider. */
export const OIDC_CALLS: readonly AuthCall[] = [
  {
    method: 'POST',
    path: OIDC_SIGN_IN,
    summary: 'Begin to sign in through the OpenID provider; the answer says where to go on',
    body: Type.Object({
      provider: Type.Literal('oidc'),
      callbackURL: Type.Optional(Type.String()),
      errorCallbackURL: Type.Optional(Type.String()),
    }),
  },
  {
    method: 'GET',
    path: '/callback/oidc',
    summary: 'Where the OpenID provider sends users back to; sets the session cookie',
    action: SIGN_IN,
  },
];
