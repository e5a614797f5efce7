// Accounts: users, organisations with departments, sessions, sign-in and access grants. This slice resolves sessions
// and grants; access/ resolves callers and holds the policy.

import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyPluginCallback } from 'fastify';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Account, CurrentActor, UserCaller } from '../access/index.ts';
import type { Database, Executor, Tx } from '../db/index.ts';
import type { Mailer } from '../mail/index.ts';
import type { OidcProvider } from './auth/auth.ts';
import { AUTH_CALLS, OIDC_CALLS } from './auth/calls.ts';
import { createAuthCalls } from './auth/call-context.ts';
import { createAuthGateway } from './auth/gateway.ts';
import { createGuesses } from './auth/guesses.ts';
import { createAuthLoader, createResetToken, renewSession } from './auth/load-auth.ts';
import { createPasswordResets } from './auth/password-resets.ts';
import { authRoutes } from './auth/routes.ts';
import { createStrangerEvents } from './auth/stranger-events.ts';
import { createDirectoryAuthenticator } from './directory/authenticator.ts';
import { externalAccountRoutes } from './directory/routes.ts';
import { deleteGrantsOf } from './grants/repository.ts';
import { createGrantService, type GrantService } from './grants/service.ts';
import { createMemberService } from './organizations/members.ts';
import { createOrganizationService } from './organizations/service.ts';
import { invitationRoutes } from './invitations/routes.ts';
import { createInvitationService } from './invitations/service.ts';
import { createAdmission } from './oidc/admission.ts';
import type { ClaimNames } from './oidc/operations.ts';
import { createClaimSync } from './oidc/sync.ts';
import { organizationRoutes } from './organizations/routes.ts';
import { findDirectoryAccounts } from './picker/directory.ts';
import { findLocalAccounts } from './picker/local.ts';
import { pickerRoutes } from './picker/routes.ts';
import { accountRoutes } from './routes.ts';
import { ownSessionRoutes } from './sessions/own-routes.ts';
import { createOwnSessionService } from './sessions/own-sessions.ts';
import { createSessionAuthenticator } from './sessions/authenticator.ts';
import { createSessionService, LOCAL_CHOICES } from './sessions/service.ts';
import { createSessionCookies } from './sessions/session-cookie.ts';
import { createAddressProofs } from './users/address-proof.ts';
import { listSuperadminEmails } from './users/repository.ts';
import { userRoutes } from './users/routes.ts';
import { boundHashing, SCRYPT, type PasswordHashing } from './password.ts';
import { createFirstSuperadmin, type FirstSuperadmin } from './users/first-superadmin.ts';
import { createUserService } from './users/service.ts';

export interface AccountsOptions {
  database: Database;
  /** PUBLIC_URL without a trailing slash; cookies are secure under https and take its path. */
  publicUrl: string;
  /** AUTH_SECRET, at least 32 characters; changing it ends all sessions. */
  secret: string;
  /** Identity service that manages the users. Default: the registry manages its own. */
  directory?: DirectoryOptions | undefined;
  /** OpenID provider through which users of this registry can also sign in. */
  oidc?: OidcOptions | undefined;
  /** Sends mail; undefined without a mail server. */
  mailer?: Mailer | undefined;
  /** Default: better-auth's scrypt. */
  passwords?: PasswordHashing | undefined;
  /** Called with errors of background work. */
  onError?: (error: unknown) => void;
  /** Sign-in attempts per address and minute, across all replicas; successful ones count, too. Default 20. */
  signInsPerMinute?: number;
  /**
   * Called in the transaction that deletes an account, after its grants; deletes what it owned in other slices. For a
   * department, `department` is set; without it, an organisation is deleted with all its departments.
   */
  onAccountDeleted?: readonly ((tx: Tx, actor: CurrentActor, account: Account) => Promise<void>)[];
  /**
   * Called in the transaction that hands a user over to the owner of their address; deletes the keys and whatever else
   * gives access on behalf of the user in other slices.
   */
  onUserTakenOver?: readonly ((tx: Tx, actor: CurrentActor, user: Account) => Promise<void>)[];
}

export interface OidcOptions extends OidcProvider {
  /** Name on the sign-in page. */
  name: string;
  claims: ClaimNames;
}

export interface DirectoryOptions {
  /** Public URL, where users sign in, without a trailing slash. */
  url: string;
  /** URL at which this server reaches it, without a trailing slash. */
  privateUrl: string;
  /** Issuer and audience that its session tokens must name, if any. */
  issuer?: string | undefined;
  audience?: string | undefined;
}

export interface Accounts {
  /** Resolves the caller of the session cookie and renews the session when due; undefined without a valid session. */
  authenticateSession: (headers: IncomingHttpHeaders) => Promise<UserCaller | undefined>;
  /** See `Authenticators.reloadSession`. */
  reloadSession?: (caller: UserCaller, executor: Executor) => Promise<UserCaller | undefined>;
  /** Adds a hook that sends the cookies of renewed sessions with the responses of an app scope. */
  registerSessionCookies: (app: FastifyInstance) => void;
  /** Allowed part of better-auth's API, for the prefix /api/auth. */
  authRoutes: FastifyPluginCallback;
  /** `/session`, `/users`, `/organizations` and `/access-grants`. */
  routes: FastifyPluginAsyncTypebox;
  /**
   * Creates the first superadmin; undefined if any user exists. Safe to call from several replicas at once.
   * @throws email_invalid
   */
  createFirstSuperadmin: (admin: { email: string; password?: string }) => Promise<FirstSuperadmin | undefined>;
  /** E-mail addresses of the superadmins; none if an identity service manages the users. */
  superadminEmails: () => Promise<string[]>;
  /** Tells whether a grant covers an account; one without a department covers all departments. */
  hasGrant: (account: Account, executor?: Executor) => Promise<boolean>;
  /** Waits for mails that are under way. */
  close: () => Promise<void>;
}

const SIGN_INS_PER_MINUTE = 20;
const PASSWORD_LINK_LIFETIME_SECONDS = 24 * 3600;

/** Creates the slice, with the registry's own users or those of an identity service. */
export function createAccounts(options: AccountsOptions): Accounts {
  const grants = createGrantService({ database: options.database });
  return options.directory
    ? createDirectoryAccounts(options, options.directory, grants)
    : createLocalAccounts(options, grants);
}

function createDirectoryAccounts(
  { database, publicUrl }: AccountsOptions,
  directory: DirectoryOptions,
  grants: GrantService,
): Accounts {
  const authenticator = createDirectoryAuthenticator({
    directoryUrl: directory.privateUrl,
    issuer: directory.issuer,
    audience: directory.audience,
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
      identityRoutes: [
        pickerRoutes(findDirectoryAccounts(directory.privateUrl)),
        externalAccountRoutes(directory.url),
      ],
      signIn: { mode: 'simple-directory', url: directory.url },
    }),
    createFirstSuperadmin: () => Promise.resolve(undefined),
    superadminEmails: () => Promise.resolve([]),
    hasGrant: (account, executor) => grants.hasGrant(account, executor),
    close: () => Promise.resolve(),
  };
}

function createLocalAccounts(
  {
    database,
    publicUrl,
    secret,
    signInsPerMinute = SIGN_INS_PER_MINUTE,
    oidc,
    mailer,
    passwords: hashing = SCRYPT,
    onError = () => undefined,
    onAccountDeleted = [],
    onUserTakenOver = [],
  }: AccountsOptions,
  grants: GrantService,
): Accounts {
  const passwords = boundHashing(hashing);
  const guesses = createGuesses({ database });
  const authCalls = createAuthCalls();
  const proofs = createAddressProofs({
    database,
    async onTakenOver(tx, actor, id) {
      for (const listener of onUserTakenOver) await listener(tx, actor, { type: 'user', id });
    },
  });
  const loadAuth = createAuthLoader({
    database,
    publicUrl,
    secret,
    passwords,
    signInsPerMinute,
    calls: authCalls,
    onPasswordReset: (userId) => proofs.onPasswordReset(authCalls.current(), userId),
    oidc: oidc && {
      ...oidc,
      admit: createAdmission({
        database,
        issuer: oidc.issuer,
        verifiedClaim: oidc.claims.emailVerified,
        calls: authCalls,
        proofs,
      }),
    },
  });
  const deleteOwnedByAccount = async (tx: Tx, actor: CurrentActor, account: Account): Promise<void> => {
    await deleteGrantsOf(tx, account);
    for (const listener of onAccountDeleted) await listener(tx, actor, account);
  };
  const createToken = (executor: Executor, userId: string, way: 'mailed' | 'handed-over') =>
    createResetToken(executor, userId, way, PASSWORD_LINK_LIFETIME_SECONDS);
  const strangers = createStrangerEvents({ database });
  const passwordResets =
    mailer &&
    createPasswordResets({
      database,
      publicUrl,
      mailer,
      strangers,
      createToken: async (userId) => (await createToken(database.db, userId, 'mailed')).token,
      requestsPerMinute: signInsPerMinute,
      onError,
    });
  const users = createUserService({
    database,
    publicUrl,
    passwords,
    onAccountDeleted: deleteOwnedByAccount,
    resetFailedSignIns: (email) => guesses.resetAddress(email),
    createResetToken: (tx, userId) => createToken(tx, userId, 'handed-over'),
  });
  const invitations = createInvitationService({ database, publicUrl, passwords, mailer, onError });
  const organizations = createOrganizationService({ database, onAccountDeleted: deleteOwnedByAccount });
  const members = createMemberService(database);
  const cookies = createSessionCookies({ secret, secure: publicUrl.startsWith('https:') });
  const authenticator = createSessionAuthenticator({
    database,
    cookies,
    renew: async (headers) => renewSession(await loadAuth(), headers),
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
    cookies,
    guesses,
    passwordResets,
    authCalls,
    strangers,
    syncClaims: oidc && createClaimSync({ database, names: oidc.claims }),
  });
  return {
    authenticateSession: (headers) => authenticator.authenticate(headers),
    reloadSession: (caller, executor) => authenticator.reload(caller, executor),
    registerSessionCookies: (app) => authenticator.register(app),
    authRoutes: authRoutes(gateway, [...AUTH_CALLS, ...(oidc ? OIDC_CALLS : [])], publicUrl),
    routes: accountRoutes({
      sessions,
      grants,
      identityRoutes: [
        pickerRoutes(findLocalAccounts(database.db)),
        userRoutes(users),
        organizationRoutes(organizations, members),
        invitationRoutes(invitations),
        ownSessionRoutes(createOwnSessionService({ database })),
      ],
      signIn: { mode: 'local', canResetPassword: mailer !== undefined, ...(oidc && { oidc: { name: oidc.name } }) },
    }),
    createFirstSuperadmin: (admin) => createFirstSuperadmin({ database, passwords }, admin),
    superadminEmails: () => listSuperadminEmails(database.db),
    hasGrant: (account, executor) => grants.hasGrant(account, executor),
    close: () => passwordResets?.close() ?? Promise.resolve(),
  };
}
