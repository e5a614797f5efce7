// Requests of the routes that write: each succeeds if the caller keeps their rights.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { DialectName } from '../../src/db/index.ts';
import { freePort } from '../support/free-port.ts';
import { startTestProvider, type TestProvider } from '../support/openid-provider.ts';
import { startMeanwhileApp, type MeanwhileApp, type MeanwhileOptions, type Person } from './meanwhile-app.ts';
import type { CallerKind } from './meanwhile-changes.ts';

export interface WriteRequest {
  path: string;
  /** An object is sent as JSON. */
  body?: object | Buffer | FormData;
  headers?: Record<string, string>;
}

export interface WriteRow {
  /** As in the OpenAPI document, without `/api/v1`. */
  route: string;
  by: CallerKind[];
  /** Creates what the request changes, and returns the request. */
  prepare(it: Prepared, person: Person): Promise<WriteRequest>;
  /** Every signed-in user has the right. */
  needsOnlySession?: boolean;
  /** A refusal other than 401 discards the upload. */
  discards?: boolean;
  /** Refusals other than those of the changes, by the names of the changes. */
  refusals?: Record<string, string>;
}

export interface Prepared {
  app: MeanwhileApp;
  provider: TestProvider;
  /** PUBLIC_URL. */
  audience: string;
}

/** The app, and a provider of identity tokens for it. */
export interface WrittenApp extends Prepared {
  close(): Promise<void>;
}

export async function startWrittenApp(
  dialect: DialectName,
  options: Pick<MeanwhileOptions, 'onError'> = {},
): Promise<WrittenApp> {
  const port = await freePort();
  const audience = `http://127.0.0.1:${port}`;
  const [app, provider] = await Promise.all([
    startMeanwhileApp(dialect, { port, publicUrl: audience, ...options }),
    startTestProvider(audience),
  ]);
  return {
    ...{ app, provider, audience },
    async close() {
      await app.close();
      await provider.stop();
    },
  };
}

/** Sends the request of a row. */
export function sendRow(
  { url }: Pick<MeanwhileApp, 'url'>,
  { route }: Pick<WriteRow, 'route'>,
  { headers }: Pick<Person, 'headers'>,
  request: WriteRequest,
): Promise<Response> {
  const isJson = request.body && !(request.body instanceof Buffer) && !(request.body instanceof FormData);
  return fetch(`${url}/api/v1${request.path}`, {
    method: route.split(' ')[0] ?? '',
    headers: { ...headers, ...(isJson && { 'content-type': 'application/json' }), ...request.headers },
    ...(request.body && { body: isJson ? JSON.stringify(request.body) : (request.body as FormData) }),
  });
}

export const ROOT: CallerKind[] = ['a superadmin'];
export const OF_ACME: CallerKind[] = ['a superadmin', 'an admin of acme'];
export const UPLOADERS: CallerKind[] = ['a superadmin', 'an upload key'];
export const NEEDS_ONLY_SESSION = { needsOnlySession: true };
export const fresh = () => randomUUID();

/** Sends a request as the first superadmin and returns the body of the response. */
export async function asRoot(
  { app }: Prepared,
  method: string,
  path: string,
  body: object,
): Promise<Record<string, string>> {
  const response = await app.api(method, path, { headers: await app.superadmin(), body });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${text}`);
  return JSON.parse(text) as Record<string, string>;
}

export const row = (
  route: string,
  by: CallerKind[],
  prepare: WriteRow['prepare'],
  more: Partial<WriteRow> = {},
): WriteRow => ({ route, by, prepare, ...more });
/** A request that changes nothing that exists. */
export const create = (route: string, by: CallerKind[], body: () => object): WriteRow =>
  row(route, by, () => Promise.resolve({ path: route.split(' ')[1] ?? '', body: body() }));
