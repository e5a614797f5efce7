// Headers of every kind of caller, for tests of read access.

import type { Headers } from './people.ts';
import type { TestServer } from './test-server.ts';

export type { Headers };

/** Acme and globex have an access grant, initech has none. */
export type CallerName =
  | 'anonymous'
  | 'an upload key'
  | 'an internal service'
  | 'an internal service for acme'
  | 'an internal service for globex'
  | 'a superadmin'
  | 'a read key of acme'
  | 'a read key of globex'
  | 'a member of acme'
  | 'a member of initech';
export type Callers = Record<CallerName, Headers>;

export async function createCallers(server: TestServer): Promise<Callers> {
  return {
    'anonymous': {},
    'an upload key': { 'x-api-key': await server.uploadKey() },
    'an internal service': server.internal,
    'an internal service for acme': forAccount(server, 'acme'),
    'an internal service for globex': forAccount(server, 'globex'),
    'a superadmin': await server.superadmin(),
    'a read key of acme': { 'x-api-key': await server.readKey({ type: 'organization', id: 'acme' }) },
    'a read key of globex': { 'x-api-key': await server.readKey({ type: 'organization', id: 'globex' }) },
    'a member of acme': await server.member('acme', 'admin'),
    'a member of initech': await server.member('initech', 'admin'),
  };
}

function forAccount({ internal }: TestServer, id: string): Headers {
  return { ...internal, 'x-account': JSON.stringify({ type: 'organization', id }) };
}
