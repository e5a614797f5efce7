// Configures better-auth on the app's own database. Loading it costs 0.3 s and 40 MB, so load-auth.ts does so on first
// use. calls.ts lists the endpoints that are exposed; sessions/ checks sessions without better-auth.

import { betterAuth } from 'better-auth';
import { admin } from 'better-auth/plugins/admin';
import { genericOAuth } from 'better-auth/plugins/generic-oauth';
import { organization } from 'better-auth/plugins/organization';
import { twoFactor } from 'better-auth/plugins/two-factor';
import type { Database } from '../../db/index.ts';
import type { Admit } from '../oidc/admission.ts';
import { keyOf } from '../oidc/identity.ts';
import { OIDC_PROVIDER_ID } from '../operations.ts';
import type { PasswordHashing } from '../password.ts';
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from '../schemas.ts';
import { SESSION_LIFETIME_SECONDS, SESSION_RENEW_AFTER_SECONDS } from '../sessions/authenticator.ts';
import type { AuthCalls } from './call-context.ts';
import { CLIENT_ADDRESS_HEADER, REQUEST_ORIGIN_HEADER } from './calls.ts';
import { dotlessDomains } from './dotless-domains.ts';
import { createAuthLogger } from './provider-log.ts';

export type Auth = ReturnType<typeof createAuth>;

export interface AuthOptions {
  database: Database;
  /** PUBLIC_URL without a trailing slash; cookies are secure under https and take its path. */
  publicUrl: string;
  /** AUTH_SECRET, at least 32 characters; changing it ends all sessions. */
  secret: string;
  passwords: PasswordHashing;
  /** Sign-in attempts per address and minute, across all replicas; successful ones count, too. */
  signInsPerMinute: number;
  calls: AuthCalls;
  /** Called after a user has set a password with a link. */
  onPasswordReset?: ((userId: string) => Promise<void>) | undefined;
  /** OpenID provider through which users can also sign in. */
  oidc?: (OidcProvider & { admit: Admit }) | undefined;
}

export interface OidcProvider {
  /** Without a trailing slash; the configuration is at `<issuer>/.well-known/openid-configuration`. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  scopes: string[];
}

/** Creates the instance; db/migrations/0001-accounts.ts creates the tables. */
export function createAuth({
  database,
  publicUrl,
  secret,
  passwords,
  signInsPerMinute,
  calls,
  onPasswordReset,
  oidc,
}: AuthOptions) {
  const { origin, pathname } = new URL(publicUrl);
  const attempts = { window: 60, max: signInsPerMinute };
  return betterAuth({
    appName: 'Berth',
    baseURL: `${publicUrl}/api/auth`,
    secret,
    // In a transaction, passwords would be hashed while holding SQLite's only write lock.
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
        verify: async ({ password, hash }) => {
          const matches = await passwords.verify(password, hash);
          if (matches) calls.current().matchedHash = hash;
          return matches;
        },
      },
      revokeSessionsOnPasswordReset: true,
      onPasswordReset: ({ user }) => onPasswordReset?.(user.id) ?? Promise.resolve(),
    },
    // Users are linked and created before better-auth looks for them (oidc/admission.ts): here, others are refused.
    // The account options make it ask in every case.
    account: { accountLinking: { trustedProviders: [OIDC_PROVIDER_ID], requireLocalEmailVerified: false } },
    user: {
      validateUserInfo: ({ source }) => {
        const { refusal } = calls.current();
        if (refusal !== undefined) return { error: refusal };
        return source.action === 'sign-in' ? undefined : { error: 'unable_to_link_account' };
      },
    },
    verification: { storeIdentifier: 'hashed' },
    // The ID token ends the session at the provider. Nothing uses the others, which give access to the provider.
    databaseHooks: {
      account: {
        update: {
          before: (account) => Promise.resolve({ data: { ...account, accessToken: null, refreshToken: null } }),
        },
      },
    },
    session: {
      expiresIn: SESSION_LIFETIME_SECONDS,
      updateAge: SESSION_RENEW_AFTER_SECONDS,
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
      dotlessDomains(),
      ...(oidc ? [openIdProvider(oidc)] : []),
    ],
    advanced: {
      useSecureCookies: publicUrl.startsWith('https:'),
      defaultCookieAttributes: { path: pathname.replace(/\/$/, '') || '/', sameSite: 'lax', httpOnly: true },
      ipAddress: { ipAddressHeaders: [CLIENT_ADDRESS_HEADER] },
      // access/ checks the origin (assertSameOrigin); better-auth would refuse programs, which send no Origin.
      disableCSRFCheck: true,
      disableOriginCheck: false,
      // better-auth-tables.unit.test.ts validates the schema instead.
      database: { validateSchema: false },
    },
    logger: createAuthLogger(calls, oidc?.clientSecret),
    // Unexpected errors are thrown to the app's error handler.
    onAPIError: { throw: true, errorURL: `${publicUrl}/sign-in` },
  });
}

function openIdProvider({ issuer, clientId, clientSecret, scopes, admit }: OidcProvider & { admit: Admit }) {
  return genericOAuth({
    config: [
      {
        providerId: OIDC_PROVIDER_ID,
        discoveryUrl: `${issuer}/.well-known/openid-configuration`,
        requireIdTokenVerification: true,
        clientId,
        clientSecret,
        scopes,
        accountSubject: ({ profile }) => keyOf(issuer, profile.sub) ?? '',
        mapProfileToUser: admit,
      },
    ],
  });
}
