// Who is asking: the one shape that every route works on, whichever way the caller came in.
// Working it out from a request lives in resolve-caller.ts, what they may do in policy.ts.

/** A user alone, or an organisation, possibly one of its departments. */
export interface Account {
  type: 'user' | 'organization';
  id: string;
  name?: string;
  department?: string;
}

/** What an upload key is limited to; every scope that is set must hold. */
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
/** The shared secret; with `account` the call is narrowed to what that account may see. */
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
  /** The superadmin. */
  isAdmin: boolean;
  /** The account that the user acts for, and whether they administer it. */
  account: Account;
  accountRole: 'admin' | 'member';
  hasGrant: boolean;
  /** Somebody else acts as this user, and may change nothing. */
  isReadOnly?: boolean;
  /** The user's language, where it is known: `fr`. */
  language?: string;
}
export type Caller = AnonymousCaller | InternalCaller | UploadKeyCaller | ReadKeyCaller | UserCaller;

/** Who pushed bytes, as it stands on documents. */
export type Uploader =
  | { apiKeyId: string; apiKeyName: string; shortId: string }
  | { internal: true }
  | { userId: string; userName: string };

export const ANONYMOUS: AnonymousCaller = { kind: 'anonymous' };

/**
 * Tells whether an entry (of an artefact's access list, a grant, a key's owner) covers an account: without a
 * department it covers the organisation and all its departments, with one only that department.
 */
export function accountMatches(entry: Account, account: Account): boolean {
  return (
    entry.type === account.type &&
    entry.id === account.id &&
    (!entry.department || entry.department === account.department)
  );
}

/** Returns the account whose rights count for reading, or undefined where no account stands behind the caller. */
export function accountOf(caller: Caller): Account | undefined {
  return 'account' in caller ? caller.account : undefined;
}

/** Tells whether nothing limits the caller: a superadmin, or an internal service that speaks for no account. */
export function isUnlimited(caller: Caller): boolean {
  return (caller.kind === 'user' && caller.isAdmin) || (caller.kind === 'internal' && !caller.account);
}

/** Names the caller as the one who pushed. */
export function uploaderOf(caller: UploadKeyCaller | InternalCaller | UserCaller): Uploader {
  if (caller.kind === 'upload-key')
    return { apiKeyId: caller.key.id, apiKeyName: caller.key.name, shortId: caller.key.shortId };
  return caller.kind === 'internal' ? { internal: true } : { userId: caller.user.id, userName: caller.user.name };
}

/**
 * Names the one who calls, whichever session or connection they use: `upload-key:<id>`, `read-key:<id>`, `user:<id>`,
 * `internal`; undefined when nobody is known. /
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
