// The whole policy: one table of pure functions, from a caller and what they ask for to nothing, or to the
// error that refuses them. Services call it and throw what it returns; a test walks every cell.

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
  NotVisibleError,
  UnauthenticatedError,
  UploadNotFoundError,
} from './errors.ts';

/** What of an artefact decides who may see it. */
export interface Visibility {
  public: boolean;
  privateAccess: readonly Account[];
}

/** What an upload would write; `presentCategory` where the artefact exists. */
export interface Upload {
  id: string;
  format: 'npm' | 'file';
  category: string;
  presentCategory?: string;
  packageName?: string;
}

/** What is said of an upload before its first byte; `category` where it is known by then. */
export interface AnnouncedUpload {
  id: string;
  format: 'npm' | 'file';
  category?: string;
  presentCategory?: string;
}

export type Refusal = BerthError | undefined;

export const policy = {
  /** Metadata, thumbnail, README and licences of an artefact. Refused as if it did not exist. */
  seeArtefact(caller: Caller, artefact: Visibility): Refusal {
    return canSee(caller, artefact) ? undefined : notVisible();
  },

  /** Bytes of an artefact. */
  downloadArtefact(caller: Caller, artefact: Visibility): Refusal {
    if (!canSee(caller, artefact)) return policy.seeArtefact(caller, artefact);
    if (isUnlimited(caller) || caller.kind === 'internal') return undefined;
    if (caller.kind === 'anonymous' || caller.kind === 'upload-key') {
      return new UnauthenticatedError(
        'Downloading needs a read key (x-api-key) or a session of an account with an access grant.',
      );
    }
    return caller.hasGrant
      ? undefined
      : new NoAccessGrantError('Your account has no access grant for this registry: ask its administrator for one.');
  },

  /** Who uploaded, and with whom an artefact is shared. */
  seeProvenance(caller: Caller): Refusal {
    return canSeeProvenance(caller) ? undefined : forbidden(caller, 'a superadmin or an internal service');
  },

  /** Before the body is read: may the caller upload under this id at all? */
  startUpload(caller: Caller, id: string): Refusal {
    if (caller.kind === 'upload-key') return nameScopes(caller.scopes, id);
    return mayWrite(caller, 'an upload key');
  },

  /** Before the first byte of an upload whose fields are known: do the scopes hold, as far as can be told? */
  announceUpload(caller: Caller, upload: AnnouncedUpload): Refusal {
    return (
      policy.startUpload(caller, upload.id) ??
      (caller.kind === 'upload-key' ? announcedScopes(caller.scopes, upload) : undefined)
    );
  },

  /** A resumable upload: its state, more bytes, its end. That of another caller is refused as if it did not exist. */
  continueUpload(caller: Caller, upload: { id: string; createdBy: string } | undefined): Refusal {
    const refusal = caller.kind === 'upload-key' ? undefined : mayWrite(caller, 'an upload key');
    if (refusal) return refusal;
    if (!upload || upload.createdBy !== identityOf(caller))
      return new UploadNotFoundError('There is no upload here, or it is not yours: start a new one.');
    return policy.startUpload(caller, upload.id);
  },

  /** At commit: do all scopes hold for what was read? */
  commitUpload(caller: Caller, upload: Upload): Refusal {
    return (
      policy.startUpload(caller, upload.id) ??
      (caller.kind === 'upload-key' ? contentScopes(caller.scopes, upload) : undefined)
    );
  },

  /** Metadata, access, thumbnail, slots and deletion of an artefact. */
  editArtefact(caller: Caller): Refusal {
    return mayWrite(caller, 'a superadmin or an internal service');
  },

  listGroups(caller: Caller): Refusal {
    return superadminOnly(caller);
  },

  createUploadKey(caller: Caller): Refusal {
    return superadminOnly(caller);
  },

  /**
   * Read keys are made by superadmins and by admins of the owning account; the owner needs an access grant either way.
   */
  createReadKey(caller: Caller, owner: Account): Refusal {
    return accountAdminOnly(caller, owner);
  },

  /** Everybody signed in may list; what they get is limited to their account (see listedKeys). */
  listKeys(caller: Caller): Refusal {
    return sessionOnly(caller);
  },

  /** `owner` is undefined for an upload key. */
  revokeKey(caller: Caller, owner: Account | undefined): Refusal {
    return owner ? accountAdminOnly(caller, owner) : superadminOnly(caller);
  },

  /** Pipelines that publish without a key. */
  manageTrustedPublishers(caller: Caller): Refusal {
    return superadminOnly(caller);
  },

  createGrant(caller: Caller): Refusal {
    return mayWrite(caller, 'a superadmin or an internal service');
  },
  listGrants(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
  deleteGrant(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
  seeOwnGrant(caller: Caller): Refusal {
    return sessionOnly(caller);
  },

  chooseAccount(caller: Caller): Refusal {
    return sessionOnly(caller);
  },
  /** On which devices one is signed in. */
  manageOwnSessions(caller: Caller): Refusal {
    return sessionOnly(caller);
  },
  /** Users and organisations. */
  manageAccounts(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
  /** One organisation, its members and invitations: its own admins may, too, while they act for all of it. */
  manageOrganization(caller: Caller, id: string): Refusal {
    return accountAdminOnly(caller, { type: 'organization', id });
  },
  /** Whom to grant access, share with, or make an owner of keys. */
  findAccounts(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
  seeServerInfo(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
  seeAudit(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
  seeStats(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
  /** What is stored, sweeps and scrubs. */
  manageStorage(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
  /** Remote registries, what is mirrored from them, and their keys. */
  manageRemotes(caller: Caller): Refusal {
    return superadminOnly(caller);
  },
} as const;

/** The one answer for what does not exist and for what the caller may not see. */
export function notVisible(): BerthError {
  return new NotVisibleError('There is no artefact with this id, or it is not shared with you.');
}

/** Throws what the policy returned, if anything. */
export function enforce(refusal: Refusal): void {
  if (refusal) throw refusal;
}

/**
 * Tells whether the caller may see an artefact; lists ask the same in SQL, and a property test holds the two equal.
 */
export function canSee(caller: Caller, artefact: Visibility): boolean {
  if (artefact.public || isUnlimited(caller)) return true;
  const account = accountOf(caller);
  return account !== undefined && artefact.privateAccess.some((entry) => accountMatches(entry, account));
}

/** Tells whether the caller may see who uploaded, and with whom an artefact is shared. */
export function canSeeProvenance(caller: Caller): boolean {
  return isUnlimited(caller) || caller.kind === 'internal';
}

function nameScopes(scopes: KeyScopes, id: string): Refusal {
  if (scopes.allowedName !== undefined && scopes.allowedName !== id) {
    return new KeyScopeError(`This key may upload only to the id ${scopes.allowedName}.`);
  }
  if (scopes.allowedNamePrefix !== undefined && !id.startsWith(scopes.allowedNamePrefix)) {
    return new KeyScopeError(`This key may upload only to ids that start with ${scopes.allowedNamePrefix}.`);
  }
  return undefined;
}

function announcedScopes(scopes: KeyScopes, upload: AnnouncedUpload): Refusal {
  return (upload.format === 'file' ? packageScope(scopes, undefined) : undefined) ?? categoryScope(scopes, upload);
}

function contentScopes(scopes: KeyScopes, upload: Upload): Refusal {
  return packageScope(scopes, upload.packageName) ?? categoryScope(scopes, upload);
}

function packageScope(scopes: KeyScopes, packageName: string | undefined): Refusal {
  if (scopes.allowedPackageName === undefined || scopes.allowedPackageName === packageName) return undefined;
  return new KeyScopeError(`This key may upload only the npm package ${scopes.allowedPackageName}.`);
}

/** Both the category that the upload brings and the present one count, where they are known. */
function categoryScope(
  scopes: KeyScopes,
  { category, presentCategory }: Pick<AnnouncedUpload, 'category' | 'presentCategory'>,
): Refusal {
  const categories = [category, presentCategory].filter((it) => it !== undefined);
  if (scopes.allowedCategory !== undefined && categories.some((category) => category !== scopes.allowedCategory)) {
    return new KeyScopeError(`This key may upload only to artefacts of the category ${scopes.allowedCategory}.`);
  }
  return undefined;
}

function mayWrite(caller: Caller, who: string): Refusal {
  if (caller.kind === 'internal' && caller.account)
    return new AccountReadOnlyError(
      'An internal service that names an account may only read: leave x-account out to write.',
    );
  return isUnlimited(caller) ? undefined : forbidden(caller, who);
}

function superadminOnly(caller: Caller): Refusal {
  return caller.kind === 'user' && caller.isAdmin ? undefined : forbidden(caller, 'a superadmin');
}

function sessionOnly(caller: Caller): Refusal {
  return caller.kind === 'user' ? undefined : forbidden(caller, 'somebody who is signed in');
}

function accountAdminOnly(caller: Caller, owner: Account): Refusal {
  const administers =
    caller.kind === 'user' && caller.accountRole === 'admin' && accountMatches(caller.account, owner);
  return administers ? undefined : superadminOnly(caller);
}

function forbidden(caller: Caller, who: string): BerthError {
  return caller.kind === 'anonymous'
    ? new UnauthenticatedError(`This needs ${who}: sign in or send a key.`)
    : new ForbiddenError(`This needs ${who}.`);
}
