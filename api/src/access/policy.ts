// Access policy: a table of pure functions that return undefined to allow an action, or the error that refuses it.
// Services pass the result to `enforce`, which throws it.

import type { BerthError } from '../errors.ts';
import {
  accountMatches,
  accountOf,
  identityOf,
  isUnlimited,
  type Account,
  type Caller,
  type KeyScopes,
} from './caller.ts';
import {
  AccountReadOnlyError,
  ForbiddenError,
  KeyScopeError,
  NoAccessGrantError,
  NotSharedError,
  NotVisibleError,
  UnauthenticatedError,
  UploadNotFoundError,
} from './errors.ts';

/** Fields of an artefact that decide who may see it. */
export interface Visibility {
  public: boolean;
  privateAccess: readonly Account[];
}

/** What an upload would write. */
export interface Upload {
  id: string;
  format: 'npm' | 'file';
  category: string;
  /** Category of the artefact if it already exists. */
  presentCategory?: string;
  packageName?: string;
}

/** What the client declares before the first byte of an upload; `category` if it is declared. */
export interface DeclaredUpload {
  id: string;
  format: 'npm' | 'file';
  category?: string;
  presentCategory?: string;
}

/** The error that refuses an action; undefined if it is allowed. */
export type Refusal = BerthError | undefined;

const anyone: (caller: Caller) => Refusal = () => undefined;

export const policy = {
  /**
   * Reads metadata, thumbnail, README and licences of an artefact that exists. A refusal looks as if it did not, but
   * to internal services, which may know of every artefact and tell their users why they cannot use it.
   */
  seeArtefact(caller: Caller, artefact: Visibility): Refusal {
    if (canSee(caller, artefact)) return undefined;
    return caller.kind === 'internal' ? notShared() : notVisible();
  },

  /** Downloads the bytes of an artefact. */
  downloadArtefact(caller: Caller, artefact: Visibility): Refusal {
    if (!canSee(caller, artefact)) return policy.seeArtefact(caller, artefact);
    if (isUnlimited(caller) || caller.kind === 'internal') return undefined;
    if (caller.kind === 'anonymous' || caller.kind === 'upload-key') {
      return new UnauthenticatedError(
        'Downloads require a read key (x-api-key) or a session of an account with an access grant.',
      );
    }
    return caller.hasGrant
      ? undefined
      : new NoAccessGrantError('Your account has no access grant for this registry: ask its administrator for one.');
  },

  /** Reads who uploaded an artefact and with whom it is shared. */
  seeProvenance(caller: Caller): Refusal {
    return canSeeProvenance(caller) ? undefined : forbidden(caller, 'a superadmin or an internal service');
  },

  /** Sorts a list by what only superadmins compare; for others it has the default order. */
  sortByAccess: superadminOnly,

  /** Uploads to this ID; checked before the body is read. */
  startUpload(caller: Caller, id: string): Refusal {
    if (caller.kind === 'upload-key') return nameScopes(caller.scopes, id);
    return unlimitedOnly(caller, 'an upload key');
  },

  /** Uploads with the declared fields; checks the scopes that they determine, before the first byte. */
  authorizeUpload(caller: Caller, upload: DeclaredUpload): Refusal {
    return (
      policy.startUpload(caller, upload.id) ??
      (caller.kind === 'upload-key' ? declaredScopes(caller.scopes, upload) : undefined)
    );
  },

  /**
   * Reads, continues, completes or deletes a resumable upload. An upload of another caller is refused as if it did
   * not exist.
   */
  continueUpload(caller: Caller, upload: { id: string; createdBy: string } | undefined): Refusal {
    const refusal = caller.kind === 'upload-key' ? undefined : unlimitedOnly(caller, 'an upload key');
    if (refusal) return refusal;
    if (!upload || upload.createdBy !== identityOf(caller))
      return new UploadNotFoundError('This upload does not exist or belongs to another caller: start a new one.');
    return policy.startUpload(caller, upload.id);
  },

  /** Commits an upload; checks all scopes against the content. */
  commitUpload(caller: Caller, upload: Upload): Refusal {
    return (
      policy.startUpload(caller, upload.id) ??
      (caller.kind === 'upload-key' ? contentScopes(caller.scopes, upload) : undefined)
    );
  },

  /** Changes metadata, access, thumbnail or slots, or deletes the artefact. */
  editArtefact(caller: Caller): Refusal {
    return unlimitedOnly(caller, 'a superadmin or an internal service');
  },

  listGroups: superadminOnly,

  createUploadKey: superadminOnly,

  /** Creates a read key: superadmins and admins of the owner. The service also requires a grant of the owner. */
  createReadKey: accountAdminOnly,

  /** Lists keys: every user. The service limits the result to their account. */
  listKeys: sessionOnly,

  /** Revokes or rotates a key; `owner` is undefined for an upload key. */
  revokeKey(caller: Caller, owner: Account | undefined): Refusal {
    return owner ? accountAdminOnly(caller, owner) : superadminOnly(caller);
  },

  /** Manages the pipelines that may publish without a key. */
  manageTrustedPublishers: superadminOnly,
  /** Exchanges an identity token for a key: the token decides, not the caller. */
  exchangeIdentityToken: anyone,

  createGrant(caller: Caller): Refusal {
    return unlimitedOnly(caller, 'a superadmin or an internal service');
  },
  listGrants: superadminOnly,
  deleteGrant: superadminOnly,
  seeOwnGrant: sessionOnly,

  chooseAccount: sessionOnly,
  /** Lists and ends the caller's own sessions. */
  manageOwnSessions: sessionOnly,
  /** Manages users and organisations. */
  manageAccounts: superadminOnly,
  /** Manages the members and invitations of an organisation; its admins may, too, while they act for all of it. */
  manageOrganization(caller: Caller, id: string): Refusal {
    return accountAdminOnly(caller, { type: 'organization', id });
  },
  /** Accepts an invitation: the service compares the caller with the invited address. */
  acceptInvitation: anyone,
  /** Searches for accounts to grant access to, share with, or make the owner of keys. */
  findAccounts: superadminOnly,
  seeServerInfo: superadminOnly,
  seeAudit: superadminOnly,
  /** Reads events: of artefacts, those that `canSee` allows. */
  readEvents(caller: Caller): Refusal {
    const isReader = caller.kind !== 'anonymous' && caller.kind !== 'upload-key';
    return isReader ? undefined : forbidden(caller, 'a session, a read key or the internal secret');
  },
  /** Reads the events of keys, mirrors and the storage. */
  seeOperationalEvents(caller: Caller): Refusal {
    return isUnlimited(caller)
      ? undefined
      : forbidden(caller, 'a superadmin, or an internal service without x-account');
  },
  seeStats: superadminOnly,
  /** Reads storage figures and starts garbage collection and integrity checks. */
  manageStorage: superadminOnly,
  /** Manages remote registries, their keys, and what is mirrored from them. */
  manageRemotes: superadminOnly,
} as const;

/** Returns the same error for an artefact that does not exist and for one that the caller may not see. */
export function notVisible(): BerthError {
  return new NotVisibleError('No artefact has this ID, or it is not shared with you.');
}

function notShared(): BerthError {
  return new NotSharedError(
    'This artefact is neither public nor shared with the account of x-account: share it with the account first.',
  );
}

/** Throws the refusal that the policy returned, if any. */
export function enforce(refusal: Refusal): void {
  if (refusal) throw refusal;
}

/** Tells whether the policy allowed an action. */
export function isAllowed(refusal: Refusal): boolean {
  return refusal === undefined;
}

/** Tells whether the caller may see an artefact. Lists apply the same rule in SQL; a property test compares both. */
export function canSee(caller: Caller, artefact: Visibility): boolean {
  if (artefact.public || isUnlimited(caller)) return true;
  const account = accountOf(caller);
  return account !== undefined && artefact.privateAccess.some((entry) => accountMatches(entry, account));
}

/**
 * Tells whether the caller may see who uploaded an artefact and with whom it is shared. A service that acts for an
 * account passes what it reads on to that account.
 */
export function canSeeProvenance(caller: Caller): boolean {
  return isUnlimited(caller);
}

/** Tells whether the declared fields decide all scopes of the caller, so that no content can violate them any more. */
export function areScopesDecided(caller: Caller, { format, category }: DeclaredUpload): boolean {
  const { allowedPackageName, allowedCategory } = caller.kind === 'upload-key' ? caller.scopes : {};
  return (
    (format === 'file' || allowedPackageName === undefined) &&
    (category !== undefined || allowedCategory === undefined)
  );
}

const OTHER_KEY = 'use another key, or have one created with this scope';

function nameScopes(scopes: KeyScopes, id: string): Refusal {
  if (scopes.allowedName !== undefined && scopes.allowedName !== id) {
    return new KeyScopeError(`This key may upload only to the ID ${scopes.allowedName}, not to ${id}: ${OTHER_KEY}.`);
  }
  if (scopes.allowedNamePrefix !== undefined && !id.startsWith(scopes.allowedNamePrefix)) {
    return new KeyScopeError(
      `This key may upload only to IDs that start with ${scopes.allowedNamePrefix}, not to ${id}: ${OTHER_KEY}.`,
    );
  }
  return undefined;
}

function declaredScopes(scopes: KeyScopes, upload: DeclaredUpload): Refusal {
  return (upload.format === 'file' ? packageScope(scopes, undefined) : undefined) ?? categoryScope(scopes, upload);
}

function contentScopes(scopes: KeyScopes, upload: Upload): Refusal {
  return packageScope(scopes, upload.packageName) ?? categoryScope(scopes, upload);
}

function packageScope(scopes: KeyScopes, packageName: string | undefined): Refusal {
  if (scopes.allowedPackageName === undefined || scopes.allowedPackageName === packageName) return undefined;
  const found = packageName === undefined ? 'no files of other formats' : `not ${packageName}`;
  return new KeyScopeError(
    `This key may upload only the npm package ${scopes.allowedPackageName}, ${found}: ${OTHER_KEY}.`,
  );
}

/** Checks the category of the upload and the current one of the artefact, as far as they are known. */
function categoryScope(
  scopes: KeyScopes,
  { category, presentCategory }: Pick<DeclaredUpload, 'category' | 'presentCategory'>,
): Refusal {
  const categories = [category, presentCategory].filter((it) => it !== undefined);
  if (scopes.allowedCategory !== undefined && categories.some((category) => category !== scopes.allowedCategory)) {
    return new KeyScopeError(
      `This key may upload only to artefacts in the category ${scopes.allowedCategory}, not in another: ${OTHER_KEY}.`,
    );
  }
  return undefined;
}

function unlimitedOnly(caller: Caller, who: string): Refusal {
  if (caller.kind === 'internal' && caller.account)
    return new AccountReadOnlyError(
      'An internal service that sends x-account may only read: leave the header out to write.',
    );
  return isUnlimited(caller) ? undefined : forbidden(caller, who);
}

function superadminOnly(caller: Caller): Refusal {
  return caller.kind === 'user' && caller.isAdmin ? undefined : forbidden(caller, 'a superadmin');
}

function sessionOnly(caller: Caller): Refusal {
  return caller.kind === 'user' ? undefined : forbidden(caller, 'a signed-in user');
}

function accountAdminOnly(caller: Caller, owner: Account): Refusal {
  const isAccountAdmin =
    caller.kind === 'user' && caller.accountRole === 'admin' && accountMatches(caller.account, owner);
  return isAccountAdmin ? undefined : superadminOnly(caller);
}

function forbidden(caller: Caller, who: string): BerthError {
  return caller.kind === 'anonymous'
    ? new UnauthenticatedError(`This requires ${who}: sign in or send a key.`)
    : new ForbiddenError(`This requires ${who}.`);
}
