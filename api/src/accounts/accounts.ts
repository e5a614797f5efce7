// Accounts: users, organisations with departments, sessions, sign-in, access grants. Working out the caller of a
// request and who may do what is access/; this slice answers who a session belongs to and who has a grant.

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyPluginCallback } from 'fastify';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Account, UserCaller } from '../access/index.ts';
import { createAttemptLimit } from '../attempts/index.ts';
import type { Database, Executor, Tx } from '../db/index.ts';
import type { Mailer } from '../mail/index.ts';
import type { OidcProvider } from './auth/auth.ts';
import { AUTH_CALLS, OIDC_CALLS } from './auth/calls.ts';
import { createAuthGateway } from './auth/gateway.ts';
import { createAuthLoader, createResetToken, prolongSession } from './auth/load-auth.ts';
import { authRoutes } from './auth/routes.ts';
import { createDirectoryAuthenticator } from './directory/authenticator.ts';
import { externalAccountRoutes } from './directory/routes.ts';
import { deleteGrantsOf } from './grants/repository.ts';
import { createGrantService } from './grants/service.ts';
import { createMemberService } from './organizations/members.ts';
import { createOrganizationService } from './organizations/service.ts';
import { invitationRoutes } from './invitations/routes.ts';
import { createInvitationService } from './invitations/service.ts';
import type { ClaimNames } from './oidc/operations.ts';
import { createProfileCarrier } from './oidc/profile.ts';
import { createClaimSync } from './oidc/sync.ts';
import { organizationRoutes } from './organizations/routes.ts';
import { passwordLink } from './operations.ts';
import { findDirectoryAccounts } from './picker/directory.ts';
import { findLocalAccounts } from './picker/local.ts';
import { pickerRoutes } from './picker/routes.ts';
import { accountRoutes } from './routes.ts';
import { ownSessionRoutes } from './sessions/own-routes.ts';
import { createOwnSessionService } from './sessions/own-sessions.ts';
import { createSessionAuthenticator } from './sessions/authenticator.ts';
import { createSessionService, LOCAL_CHOICES } from './sessions/service.ts';
import { createSessionCookies } from './sessions/session-cookie.ts';
import { listSuperadminEmails } from './users/repository.ts';
import { userRoutes } from './users/routes.ts';
import { SCRYPT, type PasswordHashing } from './password.ts';
import { createUserService, type FirstSuperadmin } from './users/service.ts';

export interface AccountsOptions {
  database: Database;
  /** PUBLIC_URL without a trailing slash; https makes the cookies secure, its path is theirs. */
  publicUrl: string;
  /** AUTH_SECRET, at least 32 characters: another one ends all sessions. */
  secret: string;
  /** The identity service that users come from; default: they are this registry's own. */
  directory?: DirectoryOptions | undefined;
  /** An OpenID provider through which users of this registry sign in as well. */
  oidc?: OidcOptions | undefined;
  /** Sends mail, where there is a mail server. */
  mailer?: Mailer | undefined;
  /** Default better-auth's scrypt. */
  passwords?: PasswordHashing | undefined;
  /** Called with errors of background work. */
  onError?: (error: unknown) => void;
  /** Sign-in attempts of one address in a minute. Default 20; every attempt counts, for all replicas together. */
  signInsPerMinute?: number;
  /**
   * Removes what a deleted account owned elsewhere, in the transaction that deletes it; grants are removed already.
   * A department that goes alone has `department`; an organisation without it takes all its departments along.
   */
  onAccountDeleted?: readonly ((tx: Tx, account: Account) => Promise<void>)[];
}

export interface OidcOptions extends OidcProvider {
  /** What the sign-in page calls it. */
  name: string;
  claims: ClaimNames;
}

export interface DirectoryOptions {
  /** Where users sign in, without a trailing slash. */
  url: string;
  /** Where this server reaches it, without a trailing slash. */
  privateUrl: string;
}

export interface Accounts {
  /** Resolves the caller of the session cookie, or undefined without a session that holds; prolongs it when due. */
  authenticateSession: (headers: IncomingHttpHeaders) => Promise<UserCaller | undefined>;
  /** Makes the answers of a scope of the app carry the cookies of sessions that authenticateSession prolonged. */
  registerSessionCookies: (app: FastifyInstance) => void;
  /** better-auth's own API, for the prefix /api/auth. */
  authRoutes: FastifyPluginCallback;
  /** `/session`, `/users`, `/organizations` and `/access-grants`. */
  routes: FastifyPluginAsyncTypebox;
  /**
   * Creates the first superadmin; undefined when there is any user already. Any number of replicas may try.
   * @throws email_invalid
   */
  createFirstSuperadmin: (admin: { email: string; password?: string }) => Promise<FirstSuperadmin | undefined>;
  /** Addresses of the superadmins, as far as this registry knows them. */
  superadminEmails: () => Promise<string[]>;
  /** Tells whether a grant covers an account: one without department covers all departments. */
  hasGrant: (account: Account, executor?: Executor) => Promise<boolean>;
}

/** Of one account; then a quarter of an hour has to pass, or an administrator sets another password. */
const FAILED_SIGN_INS = { max: 20, windowMs: 15 * 60_000 };

const PASSWORD_LINK_LIFETIME_SECONDS = 24 * 3600;

/** Puts the slice together, for users of its own or of an identity service. */
export function createAccounts(options: AccountsOptions): Accounts {
  return options.directory ? createDirectoryAccounts(options, options.directory) : createLocalAccounts(options);
}

function createDirectoryAccounts({ database, publicUrl }: AccountsOptions, directory: DirectoryOptions): Accounts {
  const grants = createGrantService(database);
  const authenticator = createDirectoryAuthenticator({
    directoryUrl: directory.privateUrl,
    secure: publicUrl.startsWith('https:'),
    hasGrant: (account) => grants.hasGrant(account),
  });
  const sessions = createSessionService({
    database,
    choices: authenticator,
    hasGrant: (account, executor) => grants.hasGrant(account, executor),
  });
  return {
    authenticateSession: (headers) => authenticator.authenticate(headers),
    registerSessionCookies: () => undefined,
    authRoutes: (_app, _options, done) => {
      done();
    },
    routes: accountRoutes({
      sessions,
      grants,
      people: [pickerRoutes(findDirectoryAccounts(directory.privateUrl)), externalAccountRoutes(directory.url)],
      signIn: { mode: 'simple-directory', url: directory.url },
    }),
    createFirstSuperadmin: () => Promise.resolve(undefined),
    superadminEmails: () => Promise.resolve([]),
    hasGrant: (account, executor) => grants.hasGrant(account, executor),
  };
}

function createLocalAccounts({
  database,
  publicUrl,
  secret,
  signInsPerMinute,
  oidc,
  mailer,
  passwords = SCRYPT,
  onError = () => undefined,
  onAccountDeleted = [],
}: AccountsOptions): Accounts {
  const failedSignIns = createAttemptLimit({ database, name: 'sign-in', ...FAILED_SIGN_INS });
  const profiles = createProfileCarrier();
  const mailResetLink =
    mailer &&
    ((email: string, token: string) => {
      mailer.send({ to: [email], subject: 'Set another password', text: resetText(publicUrl, token) }).catch(onError);
    });
  const loadAuth = createAuthLoader({
    database,
    publicUrl,
    secret,
    passwords,
    signInsPerMinute,
    mailResetLink,
    oidc: oidc && {
      ...oidc,
      onProfile: (profile) => {
        profiles.keep(profile);
      },
    },
  });
  const forgetAccount = async (tx: Tx, account: Account): Promise<void> => {
    await deleteGrantsOf(tx, account);
    for (const listener of onAccountDeleted) await listener(tx, account);
  };
  const grants = createGrantService(database);
  const users = createUserService({
    database,
    publicUrl,
    passwords,
    onAccountDeleted: forgetAccount,
    forgetFailures: (email) => failedSignIns.forget(email),
    createResetToken: async (userId) => createResetToken(await loadAuth(), userId, PASSWORD_LINK_LIFETIME_SECONDS),
  });
  const invitations = createInvitationService({ database, publicUrl, passwords, mailer, onError });
  const organizations = createOrganizationService({ database, onAccountDeleted: forgetAccount });
  const members = createMemberService(database);
  const authenticator = createSessionAuthenticator({
    database,
    cookies: createSessionCookies({ secret, secure: publicUrl.startsWith('https:') }),
    prolong: async (headers) => prolongSession(await loadAuth(), headers),
  });
  const sessions = createSessionService({
    database,
    choices: LOCAL_CHOICES,
    hasGrant: (account, executor) => grants.hasGrant(account, executor),
  });
  const gateway = createAuthGateway({
    database,
    publicUrl,
    loadAuth,
    sessions: authenticator,
    failedSignIns,
    profiles,
    syncClaims: oidc && createClaimSync({ database, names: oidc.claims }),
  });
  return {
    authenticateSession: (headers) => authenticator.authenticate(headers),
    registerSessionCookies: (app) => authenticator.register(app),
    authRoutes: authRoutes(gateway, [...AUTH_CALLS, ...(oidc ? OIDC_CALLS : [])]),
    routes: accountRoutes({
      sessions,
      grants,
      people: [
        pickerRoutes(findLocalAccounts(database.db)),
        userRoutes(users),
        organizationRoutes(organizations, members),
        invitationRoutes(invitations),
        ownSessionRoutes(createOwnSessionService({ database })),
      ],
      signIn: { mode: 'local', canResetPassword: mailer !== undefined, ...(oidc && { oidc: { name: oidc.name } }) },
    }),
    createFirstSuperadmin: (admin) => users.createFirstSuperadmin(admin),
    superadminEmails: () => listSuperadminEmails(database.db),
    hasGrant: (account, executor) => grants.hasGrant(account, executor),
  };
}

function resetText(publicUrl: string, token: string): string {
  return (
    `Somebody, probably you, wants to set another password in the registry at ${publicUrl}.\n\nTo do so, ` +
    `open this address within a day:\n${passwordLink(publicUrl, token)}\n\nIf it was not you, there is nothing ` +
    `to do: your password stays as it is.\n`
  );
}
