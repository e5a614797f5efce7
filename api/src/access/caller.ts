// Caller: the identity that every route works on, however the request was authenticated.
// resolve-caller.ts derives it from a request; policy.ts decides what it may do.

/** A user, an organisation, or one department of an organisation. */
export interface Account {
  type: 'user' | 'organization';
  id: string;
  name?: string;
  department?: string;
}

/** Restrictions of an upload key; an upload must satisfy every scope that is set. */
export interface KeyScopes {
  allowedName?: string;
  allowedNamePrefix?: string;
  allowedPackageName?: string;
  allowedCategory?: string;
}

export interface KeyIdentity {
  id: string;
  name: string;
  shortId: string;
}

export interface AnonymousCaller {
  kind: 'anonymous';
}
/** An internal service that sent the shared secret. With `account`, it sees only what that account may see. */
export interface InternalCaller {
  kind: 'internal';
  account?: Account;
}
export interface UploadKeyCaller {
  kind: 'upload-key';
  key: KeyIdentity;
  scopes: KeyScopes;
}
export interface ReadKeyCaller {
  kind: 'read-key';
  key: KeyIdentity;
  account: Account;
  hasGrant: boolean;
}
export interface UserCaller {
  kind: 'user';
  sessionId: string;
  user: { id: string; name: string; email: string };
  /** Superadmin. */
  isAdmin: boolean;
  /** The account that the user acts for. */
  account: Account;
  /** Whether the user administers `account`. */
  accountRole: 'admin' | 'member';
  hasGrant: boolean;
  /** Another user impersonates this one; only safe methods are allowed. */
  isReadOnly?: boolean;
  /** The user's language if known, such as `fr`. */
  language?: string;
}
export type Caller = AnonymousCaller | InternalCaller | UploadKeyCaller | ReadKeyCaller | UserCaller;

/** Who uploaded bytes, as stored in documents. */
export type Uploader =
  | { apiKeyId: string; apiKeyName: string; shortId: string }
  | { internal: true }
  | { userId: string; userName: string };

export const ANONYMOUS: AnonymousCaller = { kind: 'anonymous' };

/**
 * Tells whether an entry (of an access list, an access grant, or the owner of a key) covers an account. An entry
 * without a department covers the organisation and all its departments; one with a department covers only that one.
 */
export function accountMatches(entry: Account, account: Account): boolean {
  return (
    entry.type === account.type &&
    entry.id === account.id &&
    (!entry.department || entry.department === account.department)
  );
}

/**
 * Returns an account as clients name it in the form that is stored and compared: departments are of organisations, so
 * that of a user, which some clients send, does not count.
 */
export function normaliseAccount<Named extends Account>(account: Named): Named {
  if (account.type !== 'user' || account.department === undefined) return account;
  const { department: _ofNoUser, ...user } = account;
  return user as Named;
}

/** Returns the account whose rights apply to reads; undefined if the caller acts for no account. */
export function accountOf(caller: Caller): Account | undefined {
  return 'account' in caller ? caller.account : undefined;
}

/** Tells whether the caller is unrestricted: a superadmin, or an internal service without an account. */
export function isUnlimited(caller: Caller): boolean {
  return (caller.kind === 'user' && caller.isAdmin) || (caller.kind === 'internal' && !caller.account);
}

/** Returns the caller in the form stored with uploads. */
export function uploaderOf(caller: UploadKeyCaller | InternalCaller | UserCaller): Uploader {
  if (caller.kind === 'upload-key')
    return { apiKeyId: caller.key.id, apiKeyName: caller.key.name, shortId: caller.key.shortId };
  return caller.kind === 'internal' ? { internal: true } : { userId: caller.user.id, userName: caller.user.name };
}

/**
 * Returns an identifier of the caller that is the same in every session: `upload-key:<id>`, `read-key:<id>`,
 * `user:<id>` or `internal`; undefined for an anonymous caller.
 */
export function identityOf(caller: Caller): string | undefined {
  switch (caller.kind) {
    case 'anonymous':
      return undefined;
    case 'internal':
      return 'internal';
    case 'user':
      return `user:${caller.user.id}`;
    default:
      return `${caller.kind}:${caller.key.id}`;
  }
}
