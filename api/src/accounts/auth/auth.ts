// better-auth as Berth runs it, on the app's own database. Loading it costs 0.3 s and 40 MB, so gateway.ts does when
// somebody first signs in. What of it can be reached from outside is in calls.ts, the check of a session in sessions/.

import { betterAuth } from 'better-auth';
import { admin } from 'better-auth/plugins/admin';
import { genericOAuth } from 'better-auth/plugins/generic-oauth';
import { organization } from 'better-auth/plugins/organization';
import { twoFactor } from 'better-auth/plugins/two-factor';
import type { Database } from '../../db/index.ts';
import type { PasswordHashing } from '../password.ts';
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from '../schemas.ts';
import { SESSION_LIFETIME_SECONDS, SESSION_PROLONG_AFTER_SECONDS } from '../sessions/authenticator.ts';
import { addressesWithoutDot } from './addresses-without-dot.ts';
import { CLIENT_ADDRESS_HEADER, REQUEST_ORIGIN_HEADER } from './calls.ts';

export type Auth = ReturnType<typeof createAuth>;

export interface AuthOptions {
  database: Database;
  /** PUBLIC_URL without a trailing slash; https makes the cookies secure, its path is theirs. */
  publicUrl: string;
  /** AUTH_SECRET, at least 32 characters: another one ends all sessions. */
  secret: string;
  passwords: PasswordHashing;
  /** Sign-in attempts of one address in a minute. Default 20; every attempt counts, for all replicas together. */
  signInsPerMinute?: number | undefined;
  /**
   * Sends somebody the link to set another password; without it none can be asked for. Not awaited: how long a mail
   * takes tells whether there is a user.
   */
  mailResetLink?: ((email: string, token: string) => void) | undefined;
  /** An OpenID provider through which users sign in as well. */
  oidc?: OidcProvider | undefined;
}

export interface OidcProvider {
  /** Without a trailing slash; its configuration is at `/.well-known/openid-configuration` below. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  scopes: string[];
  /** Told what the provider says of a user who signs in. */
  onProfile?: (profile: Record<string, unknown>) => void;
}

/** What better-auth and the callback's path call the provider. */
export const OIDC_PROVIDER_ID = 'oidc';

const SIGN_INS_PER_MINUTE = 20;
/** Of a link to set another password. */
const RESET_LIFETIME_SECONDS = 24 * 3600;

/** Makes the instance; the tables are in db/migrations/0001-accounts.ts. */
export function createAuth({
  database,
  publicUrl,
  secret,
  passwords,
  signInsPerMinute = SIGN_INS_PER_MINUTE,
  mailResetLink,
  oidc,
}: AuthOptions) {
  const { origin, pathname } = new URL(publicUrl);
  const attempts = { window: 60, max: signInsPerMinute };
  return betterAuth({
    appName: 'Berth',
    baseURL: `${publicUrl}/api/auth`,
    secret,
    // With transactions, passwords would be hashed while SQLite's only write lock is held.
    database: { db: database.db, type: database.dialect, transaction: false },
    telemetry: { enabled: false },
    trustedOrigins: (request) => [origin, request?.headers.get(REQUEST_ORIGIN_HEADER)],
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: MIN_PASSWORD_LENGTH,
      maxPasswordLength: MAX_PASSWORD_LENGTH,
      password: {
        hash: (password) => passwords.hash(password),
        verify: ({ password, hash }) => passwords.verify(password, hash),
      },
      resetPasswordTokenExpiresIn: RESET_LIFETIME_SECONDS,
      revokeSessionsOnPasswordReset: true,
      ...(mailResetLink && {
        sendResetPassword: ({ user, token }: { user: { email: string }; token: string }) => {
          mailResetLink(user.email, token);
          return Promise.resolve();
        },
      }),
    },
    // Superadmins make users by address: whoever a provider knows under it, and has seen it work, is that user.
    account: { accountLinking: { enabled: true, requireLocalEmailVerified: false } },
    session: {
      expiresIn: SESSION_LIFETIME_SECONDS,
      updateAge: SESSION_PROLONG_AFTER_SECONDS,
      cookieCache: { enabled: false },
    },
    rateLimit: {
      enabled: true,
      storage: 'database',
      customRules: {
        '/sign-in/*': attempts,
        '/change-password': attempts,
        '/request-password-reset': attempts,
        '/reset-password': attempts,
        '/get-session': false,
      },
    },
    plugins: [
      organization({
        allowUserToCreateOrganization: false,
        creatorRole: 'admin',
        teams: { enabled: true, defaultTeam: { enabled: false } },
        schema: { team: { additionalFields: { slug: { type: 'string', required: true } } } },
      }),
      admin({ bannedUserMessage: 'This user is disabled: ask an administrator of the registry.' }),
      twoFactor({ issuer: 'Berth' }),
      addressesWithoutDot(),
      ...(oidc ? [openIdProvider(oidc)] : []),
    ],
    advanced: {
      useSecureCookies: publicUrl.startsWith('https:'),
      defaultCookieAttributes: { path: pathname.replace(/\/$/, '') || '/', sameSite: 'lax', httpOnly: true },
      ipAddress: { ipAddressHeaders: [CLIENT_ADDRESS_HEADER] },
      // assertSameOrigin of access/ is the rule; this one refuses programs, which send no Origin.
      disableCSRFCheck: true,
      disableOriginCheck: false,
      // A test does it once and for all.
      database: { validateSchema: false },
    },
    logger: { disabled: true },
    // What is no answer to the client goes to the error handler of the app.
    onAPIError: { throw: true, errorURL: `${publicUrl}/` },
  });
}

function openIdProvider({ issuer, clientId, clientSecret, scopes, onProfile }: OidcProvider) {
  return genericOAuth({
    config: [
      {
        providerId: OIDC_PROVIDER_ID,
        discoveryUrl: `${issuer}/.well-known/openid-configuration`,
        requireIdTokenVerification: true,
        clientId,
        clientSecret,
        scopes,
        overrideUserInfo: true,
        mapProfileToUser: (profile) => {
          onProfile?.(profile);
          // Some providers know no name.
          return { name: profile.name ?? profile.email ?? undefined };
        },
      },
    ],
  });
}
