// A registry with callers of every kind, in which artefacts have histories. What a caller may see is found out by
// asking for the artefact itself.

import assert from 'node:assert/strict';
import type { DialectName } from '../../src/db/index.ts';
import type { Headers } from '../support/people.ts';
import { startMeanwhileApp, type MeanwhileApp, type Person } from '../access/meanwhile-app.ts';
import { untilReadable } from './outbox-fixture.ts';

/** Who may read all events; they alone learn who did it. */
export const UNLIMITED = ['a superadmin', 'an internal service'] as const;
/** Who may read none, with the refusal. */
export const REFUSED = { 'anonymous': '401 unauthenticated', 'an upload key': '403 forbidden' } as const;
const ACCOUNTS = {
  'acme': { type: 'organization', id: 'acme', name: 'zebra-acme' },
  'acme/geo': { type: 'organization', id: 'acme', department: 'geo' },
  'acme/sea': { type: 'organization', id: 'acme', department: 'sea' },
  'initech': { type: 'organization', id: 'initech' },
  'hooli': { type: 'organization', id: 'hooli' },
} as const;

/** One step of the history of an artefact: `share:acme,uma` replaces the access list and makes it private. */
export type Step = 'upload' | 'public' | 'private' | `share:${string}` | 'title' | 'slot' | 'delete';

export interface World {
  app: MeanwhileApp;
  callers: Record<string, Headers>;
  /** Names of accounts to share with. */
  accounts: string[];
  step(id: string, step: Step): Promise<void>;
  /** Names of the callers who see an artefact now. */
  seenBy(id: string): Promise<Set<string>>;
  /** Who could see each deleted artefact of this ID, the first deleted first. */
  deletedFor(id: string): readonly Set<string>[];
  /** Waits until all events can be read. */
  untilReadable(): Promise<void>;
  close(): Promise<void>;
}

export async function createWorld(dialect: DialectName): Promise<World> {
  const app = await startMeanwhileApp(dialect, { heartbeatMs: 50 });
  const root = { headers: await app.superadmin() };
  const send = async (method: string, path: string, body?: unknown, headers: Headers = root.headers) => {
    const response = await app.api(method, path, { headers, body });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, string>);
  };
  for (const id of ['acme', 'initech', 'hooli']) await send('POST', '/organizations', { id, name: `zebra-${id}` });
  for (const id of ['geo', 'sea']) await send('PUT', `/organizations/acme/departments/${id}`, { name: `zebra-${id}` });
  for (const id of ['acme', 'hooli'])
    await send('POST', '/access-grants', { account: { type: 'organization', id } }, app.internal);

  const member = async (account: Record<string, string>, role: 'admin' | 'member'): Promise<Person> => {
    const person = await app.user('user');
    const { id = '', department } = account;
    await send('PUT', `/organizations/${id}/members/${person.id}`, {
      role,
      departments: department === undefined ? [] : [department],
    });
    const { name: _name, ...chosen } = account;
    await send('PUT', '/session/account', chosen, person.headers);
    return person;
  };
  const readKey = async (account: object) => ({
    'x-api-key': (await send('POST', '/api-keys', { type: 'read', name: 'zebra-key', owner: account }))['key']!,
  });
  const acting = (account: object) => ({ ...app.internal, 'x-account': JSON.stringify(account) });
  const uma = await app.user('user');
  const umas = { type: 'user', id: uma.id };
  const keyWithoutGrant = await readKey(ACCOUNTS.hooli);
  const { results } = (await send('GET', '/access-grants')) as unknown as {
    results: { _id: string; account: { id: string } }[];
  };
  await send('DELETE', `/access-grants/${results.find(({ account }) => account.id === 'hooli')?._id}`);

  const callers: Record<string, Headers> = {
    'anonymous': {},
    'an upload key': { 'x-api-key': await app.uploadKey() },
    'a superadmin': root.headers,
    'an internal service': app.internal,
    'an internal service for acme': acting(ACCOUNTS.acme),
    'an internal service for acme/geo': acting(ACCOUNTS['acme/geo']),
    'an internal service for uma': acting(umas),
    'an internal service for a user named acme': acting({ type: 'user', id: 'acme' }),
    'a read key of acme': await readKey(ACCOUNTS.acme),
    'a read key of acme/sea': await readKey(ACCOUNTS['acme/sea']),
    'a read key without grant': keyWithoutGrant,
    'an admin of acme': (await member(ACCOUNTS.acme, 'admin')).headers,
    'a member of acme': (await member(ACCOUNTS.acme, 'member')).headers,
    'a member of acme/geo': (await member(ACCOUNTS['acme/geo'], 'member')).headers,
    'a member of initech, without grant': (await member(ACCOUNTS.initech, 'member')).headers,
    'uma for herself': uma.headers,
  };
  const accounts = { ...ACCOUNTS, uma: umas };
  const deleted = new Map<string, Set<string>[]>();
  let uploads = 0;

  const seenBy = async (id: string) => {
    const seen = await Promise.all(
      Object.entries(callers).map(async ([name, headers]) => {
        const response = await app.api('GET', `/artefacts/${id}`, { headers });
        await response.text();
        assert.ok([200, 403, 404].includes(response.status), `${response.status}`);
        return response.status === 200 ? [name] : [];
      }),
    );
    return new Set(seen.flat());
  };
  const edit = (id: string, body: object) => send('PATCH', `/artefacts/${id}`, body, app.internal);
  return {
    app,
    callers,
    accounts: Object.keys(accounts),
    seenBy,
    deletedFor: (id) => deleted.get(id) ?? [],
    async step(id, step) {
      switch (step) {
        case 'upload':
        case 'slot': {
          const file = Buffer.from(`${++uploads}`);
          const response = await app.upload(id, { format: 'file', file, fileName: `${id}-${uploads}.bin` });
          assert.equal(response.status, 201, await response.text());
          return;
        }
        case 'title':
          return void (await edit(id, { title: { en: `zebra-title-${++uploads}` } }));
        case 'public':
          return void (await edit(id, { public: true }));
        case 'private':
          return void (await edit(id, { public: false, privateAccess: [] }));
        case 'delete': {
          deleted.set(id, [...(deleted.get(id) ?? []), await seenBy(id)]);
          await send('DELETE', `/artefacts/${id}`, undefined, root.headers);
          return;
        }
        default: {
          const names = step.slice('share:'.length).split(',');
          const privateAccess = names.map((name) => accounts[name as keyof typeof accounts]);
          await edit(id, { public: false, privateAccess });
        }
      }
    },
    untilReadable: () => untilReadable(app.database),
    close: () => app.close(),
  };
}
