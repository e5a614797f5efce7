// Callers of every kind and role, for tests that run the same request with each.

import type {
  Account,
  Caller,
  KeyScopes,
  ReadKeyCaller,
  UploadKeyCaller,
  UserCaller,
} from '../../src/access/index.ts';

export const ACME: Account = { type: 'organization', id: 'acme', name: 'Acme' };
export const ACME_GEO: Account = { ...ACME, department: 'geo' };
export const ACME_SEA: Account = { ...ACME, department: 'sea' };
export const OTHER: Account = { type: 'organization', id: 'other' };
export const UMA: Account = { type: 'user', id: 'uma' };

/** Creates a signed-in user; by default a member of Acme, which has a grant. */
export function userCaller(changes: Partial<UserCaller> = {}): UserCaller {
  const user = { id: 'uma', name: 'Uma', email: 'uma@acme.example' };
  return {
    kind: 'user',
    sessionId: 'session-1',
    user,
    isAdmin: false,
    account: ACME,
    accountRole: 'member',
    hasGrant: true,
    ...changes,
  };
}

export function uploadKeyCaller(scopes: KeyScopes = {}): UploadKeyCaller {
  return { kind: 'upload-key', key: { id: 'key-1', name: 'CI', shortId: '0000000a' }, scopes };
}

export function readKeyCaller(changes: Partial<ReadKeyCaller> = {}): ReadKeyCaller {
  return {
    kind: 'read-key',
    key: { id: 'key-2', name: 'mirror', shortId: '0000000b' },
    account: ACME,
    hasGrant: true,
    ...changes,
  };
}

/** Every kind of caller, in every role that the policy distinguishes. */
export const CALLERS = {
  'anonymous': { kind: 'anonymous' },
  'internal': { kind: 'internal' },
  'internal for Acme': { kind: 'internal', account: ACME },
  'internal for Acme/geo': { kind: 'internal', account: ACME_GEO },
  'upload key': uploadKeyCaller(),
  'read key of Acme': readKeyCaller(),
  'read key of Acme without grant': readKeyCaller({ hasGrant: false }),
  'read key of Acme/geo': readKeyCaller({ account: ACME_GEO }),
  'superadmin': userCaller({ isAdmin: true, account: UMA, accountRole: 'admin', hasGrant: false }),
  'admin of Acme': userCaller({ accountRole: 'admin' }),
  'admin of Acme/geo': userCaller({ account: ACME_GEO, accountRole: 'admin' }),
  'member of Acme': userCaller(),
  'member of Acme without grant': userCaller({ hasGrant: false }),
  'member of Acme/geo': userCaller({ account: ACME_GEO }),
  'Uma for herself': userCaller({ account: UMA, accountRole: 'admin' }),
  'admin of another organisation': userCaller({ account: OTHER, accountRole: 'admin' }),
} as const satisfies Record<string, Caller>;

export type CallerName = keyof typeof CALLERS;
export const CALLER_NAMES = Object.keys(CALLERS) as CallerName[];
