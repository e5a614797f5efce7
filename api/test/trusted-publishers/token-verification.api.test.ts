import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { freePort } from '../support/free-port.ts';
import { githubJob, type JobClaims } from '../support/pipeline.ts';
import { readProblem } from '../support/problems.ts';
import { describeWithProvider } from './publisher-fixture.ts';

describeWithProvider('verification of identity tokens', (fixture) => {
  const { exchange, job, keyFor, remove, trust } = fixture;

  for (const [what, changes] of Object.entries<JobClaims>({
    'with another audience': { aud: 'https://other.example.org' },
    'without an audience': { aud: undefined },
    'that has expired': { exp: Math.floor(Date.now() / 1000) - 60 },
    'without an expiry': { exp: undefined },
    'with an expiry that is no date': { exp: 1e300 },
    'that is not yet valid': { nbf: Math.floor(Date.now() / 1000) + 600 },
  })) {
    test(`a token ${what} is refused`, async () => {
      await trust();
      await readProblem(await exchange(await job(changes)), 401, 'identity_token_invalid');
    });
  }

  test('an untrusted issuer is refused without contacting it', async () => {
    await trust();
    await readProblem(await exchange(await job({ iss: 'http://127.0.0.1:1' })), 403, 'publisher_not_trusted');
  });

  test('an unavailable trusted issuer answers 503', async () => {
    const unavailable = `http://127.0.0.1:${await freePort()}`;
    await trust({ issuer: unavailable });
    await readProblem(await exchange(await job({ iss: unavailable })), 503, 'issuer_unavailable');
  });

  test('discovery runs again after an issuer has moved its keys', async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256');
    const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256' }] };
    let keysPath = '/before';
    const server = createHttpServer((request, response) => {
      if (request.url === '/.well-known/openid-configuration')
        response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}${keysPath}` }));
      else if (request.url === '/after') response.end(JSON.stringify(keys));
      else response.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await trust({ issuer });
      const token = await new SignJWT(githubJob(fixture.provider, fixture.audience, { iss: issuer }))
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .sign(privateKey);
      await readProblem(await exchange(token), 503, 'issuer_unavailable');
      keysPath = '/after';
      assert.ok(await keyFor(token));
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test('a token that its issuer did not sign is refused', async () => {
    await trust();
    const { privateKey } = await generateKeyPair('RS256');
    const forged = (header: { alg: string; kid: string }) =>
      new SignJWT(githubJob(fixture.provider, fixture.audience)).setProtectedHeader(header);
    await readProblem(
      await exchange(await forged({ alg: 'RS256', kid: 'key-1' }).sign(privateKey)),
      401,
      'identity_token_invalid',
    );
    await readProblem(
      await exchange(await forged({ alg: 'RS256', kid: 'key-2' }).sign(privateKey)),
      401,
      'identity_token_invalid',
    );
    await readProblem(
      await exchange(
        await forged({ alg: 'HS256', kid: 'key-1' }).sign(
          new TextEncoder().encode('a guess of thirty-two characters'),
        ),
      ),
      401,
      'identity_token_invalid',
    );
    const unsigned = [{ alg: 'none' }, githubJob(fixture.provider, fixture.audience)]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    await readProblem(await exchange(`${unsigned}.`), 401, 'identity_token_invalid');
    await readProblem(await exchange('no token'), 401, 'identity_token_invalid');
  });

  test('malformed issuers and IDs are refused without a server error', async () => {
    const claims = (iss: unknown) =>
      ['{"alg":"RS256"}', JSON.stringify({ iss })].map((part) => Buffer.from(part).toString('base64url')).join('.');
    for (const iss of [5, null, ['a'], {}])
      await readProblem(await exchange(`${claims(iss)}.c2ln`), 401, 'identity_token_invalid');
    assert.ok((await exchange(`${claims('\u0000')}.c2ln`)).status < 500);
    assert.ok((await remove('%00')).status < 500);
  });
});
