// Requests of the routes that write: each succeeds if the caller keeps their rights.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { TestProvider } from '../support/openid-provider.ts';
import type { MeanwhileApp, Person } from './meanwhile-app.ts';
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
