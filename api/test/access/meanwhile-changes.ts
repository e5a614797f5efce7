// Changes that take rights away from a caller, while a request of theirs is on its way.

import assert from 'node:assert/strict';
import type { MeanwhileApp, Person } from './meanwhile-app.ts';

export type CallerKind = 'a superadmin' | 'an admin of acme' | 'an upload key';

export interface Change {
  make(it: MeanwhileApp, person: Person): Promise<void>;
  /** Status and code of the refusal. */
  refusal: string;
  /** The session remains: what every signed-in user may do stays allowed. */
  keepsSession?: boolean;
}

const ENDED = '401 session_ended';
const REVOKED = '401 api_key_revoked';

const asRoot =
  (method: string, path: (person: Person) => string, body?: object) => async (it: MeanwhileApp, person: Person) => {
    const response = await it.api(method, path(person), { headers: await it.superadmin(), body });
    assert.ok(response.ok, await response.text());
  };
const userPath = ({ id }: Person) => `/users/${id}`;
const memberPath = ({ id }: Person) => `/organizations/acme/members/${id}`;
const keyPath = ({ id }: Person) => `/api-keys/${id}`;

const ENDS_OF_SESSIONS: Record<string, Change> = {
  'disabled': { make: asRoot('PATCH', userPath, { disabled: true }), refusal: ENDED },
  'deleted': { make: asRoot('DELETE', userPath), refusal: ENDED },
  'signed out': {
    async make(it, { headers }) {
      const response = await fetch(`${it.url}/api/auth/sign-out`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: '{}',
      });
      assert.equal(response.status, 200, await response.text());
    },
    refusal: ENDED,
  },
};

export const CHANGES: Record<CallerKind, Record<string, Change>> = {
  'a superadmin': {
    'demoted': {
      make: asRoot('PATCH', userPath, { isAdmin: false }),
      refusal: '403 forbidden',
      keepsSession: true,
    },
    ...ENDS_OF_SESSIONS,
    'given another password': { make: asRoot('PATCH', userPath, { password: 'another password' }), refusal: ENDED },
  },
  'an admin of acme': {
    'made a member': {
      make: asRoot('PUT', memberPath, { role: 'member' }),
      refusal: '403 forbidden',
      keepsSession: true,
    },
    'removed': { make: asRoot('DELETE', memberPath), refusal: '403 forbidden', keepsSession: true },
    ...ENDS_OF_SESSIONS,
  },
  'an upload key': {
    'revoked': { make: asRoot('DELETE', keyPath), refusal: REVOKED },
    'rotated away': {
      make: asRoot('POST', (person) => `${keyPath(person)}/rotate`, { overlapSeconds: 0 }),
      refusal: REVOKED,
    },
    'expired': {
      async make({ database }, { id }) {
        const expires_at = new Date(Date.now() - 1).toISOString();
        await database.db.updateTable('api_keys').set({ expires_at }).where('id', '=', id).execute();
      },
      refusal: REVOKED,
    },
    'narrowed': {
      async make({ database }, { id }) {
        await database.db.updateTable('api_keys').set({ allowed_name: 'other' }).where('id', '=', id).execute();
      },
      refusal: '403 key_scope',
    },
  },
};

export function createCaller(it: MeanwhileApp, kind: CallerKind): Promise<Person> {
  if (kind === 'an upload key') return it.key();
  return kind === 'a superadmin' ? it.user('admin') : it.acmeAdmin();
}
