// The better-auth endpoints that are exposed; all others answer 404. Users and organisations are changed only through
// /api/v1, which enforces the policy, protects the last superadmin and writes the audit log.

import { Type, type TObject } from 'typebox';

/** Internal headers; gateway.ts overwrites whatever a client sends under these names. */
export const CLIENT_ADDRESS_HEADER = 'x-berth-ip';
export const REQUEST_ORIGIN_HEADER = 'x-berth-origin';

export interface AuthCall {
  method: 'GET' | 'POST';
  path: string;
  summary: string;
  /** Without further fields: better-auth gets only these. */
  body?: TObject;
  /** Whether the body may be missing. Default false. */
  hasOptionalBody?: boolean;
  /**
   * Whose password or code the call checks: that of the user with the `email` in the body, or that of the user of the
   * session or of the sign-in in progress.
   */
  guesses?: 'address' | 'user';
  /** Action in the audit log; undefined for reads, which are not audited. */
  action?: string;
}

/** Audit action of signing in, by password or provider. */
export const SIGN_IN = 'session.sign-in';
/** Audit action of verifying a code: at sign-in, or when the second factor is enabled. */
export const SECOND_FACTOR = 'session.verify-second-factor';
export const PASSWORD_SIGN_IN = '/sign-in/email';
export const PASSWORD_CHANGE = '/change-password';
export const PASSWORD_RESET_REQUEST = '/request-password-reset';
export const CODE_VERIFICATION = '/two-factor/verify-totp';
export const OIDC_SIGN_IN = '/sign-in/social';
export const OIDC_CALLBACK = '/callback/oidc';

const CallbackUrl = Type.Optional(
  Type.String({ description: 'Path, or URL of this registry, where the browser goes next' }),
);
const DisableRedirect = Type.Optional(
  Type.Boolean({ description: 'Whether `redirect` of the response is false, for clients that would follow it' }),
);

export const AUTH_CALLS: readonly AuthCall[] = [
  {
    method: 'POST',
    path: PASSWORD_SIGN_IN,
    summary: 'Sign in with a password; sets the session cookie',
    action: SIGN_IN,
    guesses: 'address',
    body: Type.Object({
      email: Type.String(),
      password: Type.String(),
      rememberMe: Type.Optional(
        Type.Boolean({ description: 'Whether the session outlives the browser. Default true' }),
      ),
      callbackURL: CallbackUrl,
    }),
  },
  {
    method: 'POST',
    path: '/sign-out',
    summary: 'End the session; the response may contain a URL that also ends it at the OpenID provider',
    action: 'session.sign-out',
    hasOptionalBody: true,
    body: Type.Object({ callbackURL: CallbackUrl, disableRedirect: DisableRedirect }),
  },
  { method: 'GET', path: '/get-session', summary: "Get the session as better-auth's clients read it" },
  {
    method: 'POST',
    path: PASSWORD_CHANGE,
    summary: "Change the user's password",
    action: 'user.change-password',
    guesses: 'user',
    body: Type.Object({
      currentPassword: Type.String(),
      newPassword: Type.String(),
      revokeOtherSessions: Type.Optional(Type.Boolean()),
    }),
  },
  {
    method: 'POST',
    path: PASSWORD_RESET_REQUEST,
    summary: 'Request a password reset link by mail; the response is the same whether the user exists or not',
    body: Type.Object({ email: Type.String() }),
  },
  {
    method: 'POST',
    path: '/reset-password',
    summary: 'Set a new password with a single-use reset token; ends all sessions of the user',
    action: 'user.reset-password',
    body: Type.Object({ newPassword: Type.String(), token: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/enable',
    summary: 'Start enabling the second factor; verifying the first code completes it',
    action: 'user.enable-second-factor',
    guesses: 'user',
    body: Type.Object({ password: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/disable',
    summary: 'Disable the second factor',
    action: 'user.disable-second-factor',
    guesses: 'user',
    body: Type.Object({ password: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/get-totp-uri',
    summary: 'Get the secret for an authenticator app',
    action: 'user.show-second-factor',
    guesses: 'user',
    body: Type.Object({ password: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/generate-backup-codes',
    summary: 'Generate new backup codes; earlier ones become invalid',
    action: 'user.make-backup-codes',
    guesses: 'user',
    body: Type.Object({ password: Type.String() }),
  },
  {
    method: 'POST',
    path: CODE_VERIFICATION,
    summary: 'Verify a code of the authenticator app, which serves once',
    action: SECOND_FACTOR,
    guesses: 'user',
    body: Type.Object({ code: Type.String() }),
  },
  {
    method: 'POST',
    path: '/two-factor/verify-backup-code',
    summary: 'Verify a backup code, which serves once',
    action: SECOND_FACTOR,
    guesses: 'user',
    body: Type.Object({ code: Type.String() }),
  },
];

/** Endpoints that are exposed only with an OpenID provider. */
export const OIDC_CALLS: readonly AuthCall[] = [
  {
    method: 'POST',
    path: OIDC_SIGN_IN,
    summary: 'Start signing in through the OpenID provider; the response contains its URL',
    body: Type.Object({
      provider: Type.Literal('oidc'),
      callbackURL: CallbackUrl,
      errorCallbackURL: Type.Optional(Type.String({ description: 'Where to send the browser after a failure' })),
      disableRedirect: DisableRedirect,
    }),
  },
  {
    method: 'GET',
    path: OIDC_CALLBACK,
    summary: 'Callback of the OpenID provider; sets the session cookie',
    action: SIGN_IN,
  },
];
