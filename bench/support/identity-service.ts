// Fake identity service: serves its public keys and signs session cookies.

import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface IdentityService extends AsyncDisposable {
  url: string;
  /** Returns the cookies of a session that is valid for an hour. */
  cookies(user: Record<string, unknown>): { cookie: string };
}

const KEY_ID = 'bench';
const HOUR_SECONDS = 3600;

export async function startIdentityService(): Promise<IdentityService> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = JSON.stringify({
    keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'RS256', use: 'sig' }],
  });
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(keys);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cookies(user) {
      const now = Math.floor(Date.now() / 1000);
      const content = [
        { alg: 'RS256', kid: KEY_ID },
        { ...user, iat: now, exp: now + HOUR_SECONDS },
      ]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.');
      return {
        cookie:
          `id_token=${content}; ` +
          `id_token_sign=${sign('sha256', Buffer.from(content), privateKey).toString('base64url')}`,
      };
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
