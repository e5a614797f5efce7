// Authenticators with one known secret, key and session, and requests for `resolveCaller`.

import type { IncomingHttpHeaders } from 'node:http';
import { resolveCaller, type Authenticators, type CallerRequest } from '../../src/access/index.ts';
import { uploadKeyCaller, userCaller } from './callers.ts';

export const SECRET = 'the internal secret';
export const KEY = 'reg_00000001_key';
export const user = userCaller();
export const key = uploadKeyCaller();

export const authenticators: Authenticators = {
  internalSecret: SECRET,
  publicUrl: 'https://berth.example',
  apiKey: (rawKey) => Promise.resolve(rawKey === KEY ? key : undefined),
  reloadApiKey: unexpected,
  countUnknownKey: () => Promise.resolve(),
  session: ({ cookie }) => Promise.resolve(cookie === 'session=uma' ? user : undefined),
};
/** Fails the test if a key or a session is looked up. */
export const secretOnly: Authenticators = {
  internalSecret: SECRET,
  publicUrl: 'https://berth.example',
  apiKey: unexpected,
  reloadApiKey: unexpected,
  countUnknownKey: unexpected,
  session: unexpected,
};

export function unexpected(): never {
  throw new Error('unexpected call of an authenticator');
}

export const requestWith = (headers: IncomingHttpHeaders, changes: Partial<CallerRequest> = {}): CallerRequest => ({
  method: 'GET',
  headers,
  host: 'berth.example',
  protocol: 'https',
  ip: '192.0.2.1',
  ...changes,
});
export const resolve = (headers: IncomingHttpHeaders, using = authenticators) =>
  resolveCaller(requestWith(headers), using);
