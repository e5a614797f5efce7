// The tables of better-auth, with its own conventions: camel case, date types on PostgreSQL, ISO text on SQLite.
// Only accounts/ reads them.

type AuthDate = Date | string;

export interface AuthSchema {
  user: {
    id: string;
    name: string;
    email: string;
    /** Whether the owner of the address has proved it, or a superadmin has vouched for it. */
    emailVerified: number | boolean;
    image: string | null;
    createdAt: AuthDate;
    updatedAt: AuthDate;
    role: string | null;
    banned: number | boolean | null;
    banReason: string | null;
    banExpires: AuthDate | null;
    twoFactorEnabled: number | boolean | null;
  };
  session: {
    id: string;
    expiresAt: AuthDate;
    token: string;
    createdAt: AuthDate;
    updatedAt: AuthDate;
    ipAddress: string | null;
    userAgent: string | null;
    userId: string;
    activeOrganizationId: string | null;
    activeTeamId: string | null;
    impersonatedBy: string | null;
  };
  /** Ways to sign in; a password has the provider `credential`. */
  account: {
    id: string;
    /** The user's ID for a password; issuer and subject, separated by a space, for the OpenID provider. */
    accountId: string;
    providerId: string;
    userId: string;
    accessToken: string | null;
    refreshToken: string | null;
    idToken: string | null;
    accessTokenExpiresAt: AuthDate | null;
    refreshTokenExpiresAt: AuthDate | null;
    scope: string | null;
    password: string | null;
    createdAt: AuthDate;
    updatedAt: AuthDate;
  };
  organization: {
    id: string;
    name: string;
    slug: string;
    logo: string | null;
    createdAt: AuthDate;
    metadata: string | null;
  };
  member: { id: string; organizationId: string; userId: string; role: string; createdAt: AuthDate };
  /** A department: `slug` is what Berth calls `department` on the wire, unique in its organisation. */
  team: {
    id: string;
    name: string;
    memberCount: number;
    organizationId: string;
    createdAt: AuthDate;
    updatedAt: AuthDate | null;
    slug: string;
  };
  invitation: {
    id: string;
    organizationId: string;
    email: string;
    role: string | null;
    teamId: string | null;
    status: string;
    expiresAt: AuthDate;
    createdAt: AuthDate;
    inviterId: string;
    /** Whether only the invited person got the link, by mail, so that accepting it proves the address. */
    mailed: number | boolean;
  };
  teamMember: { id: string; teamId: string; userId: string; membershipKey: string | null; createdAt: AuthDate | null };
  twoFactor: {
    id: string;
    secret: string;
    backupCodes: string;
    userId: string;
    verified: number | boolean | null;
    failedVerificationCount: number | null;
    lockedUntil: AuthDate | null;
  };
  /** Requests by address and path. */
  rateLimit: {
    id: string;
    key: string;
    count: number;
    /** Milliseconds since 1970. */
    lastRequest: number;
  };
  /** Single-use tokens and steps of sign-ins. */
  verification: {
    id: string;
    /** SHA-256 of the identifier. */
    identifier: string;
    /** ID of the user, except for steps of sign-ins whose user is not known yet. */
    value: string;
    expiresAt: AuthDate;
    createdAt: AuthDate;
    updatedAt: AuthDate;
  };
}
