import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, test } from 'node:test';
import { ANONYMOUS, resolveCaller } from '../../src/access/index.ts';
import { authenticators, KEY, key, requestWith, resolve, secretOnly, unexpected, user } from './authenticators.ts';
import { readKeyCaller } from './callers.ts';

describe('an API key', () => {
  const headers: IncomingHttpHeaders[] = [
    { 'x-api-key': KEY },
    { authorization: `Bearer ${KEY}` },
    { authorization: `bearer ${KEY}` },
    { authorization: `BEARER   ${KEY} ` },
    { 'x-api-key': KEY, 'authorization': 'Bearer other' },
  ];
  for (const it of headers) {
    test(`is read from ${JSON.stringify(it)}`, async () => {
      assert.equal(await resolve(it, { ...authenticators, session: unexpected }), key);
    });
  }

  test('takes precedence over the session', async () => {
    assert.equal(
      await resolve({ 'x-api-key': KEY, 'cookie': 'session=uma' }, { ...authenticators, session: unexpected }),
      key,
    );
  });

  test('may be a read key', async () => {
    const reader = readKeyCaller();
    assert.equal(
      await resolve({ 'x-api-key': KEY }, { ...authenticators, apiKey: () => Promise.resolve(reader) }),
      reader,
    );
  });

  const unknown: IncomingHttpHeaders[] = [
    { 'x-api-key': 'other' },
    { 'x-api-key': '' },
    { 'x-api-key': '', 'authorization': `Bearer ${KEY}` },
    { authorization: 'Bearer other' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer  ' },
    { authorization: `Bearer ${KEY} ${KEY}` },
    { 'x-api-key': `${KEY}, ${KEY}` },
  ];
  for (const it of unknown) {
    test(`is refused if invalid, without fallback to a session: ${JSON.stringify(it)}`, async () => {
      await assert.rejects(resolve({ ...it, cookie: 'session=uma' }, { ...authenticators, session: unexpected }), {
        code: 'api_key_invalid',
        status: 401,
      });
    });
  }

  for (const authorization of ['Basic dW1hOnNlY3JldA==', 'Bearerx', '']) {
    test(`is not read from another scheme: ${JSON.stringify(authorization)}`, async () => {
      assert.equal(await resolve({ authorization }, { ...authenticators, apiKey: unexpected }), ANONYMOUS);
      assert.equal(
        await resolve({ authorization, cookie: 'session=uma' }, { ...authenticators, apiKey: unexpected }),
        user,
      );
    });
  }

  test('may change state from another origin', async () => {
    const request = requestWith(
      { 'x-api-key': KEY, 'origin': 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      { method: 'POST' },
    );
    assert.equal(await resolveCaller(request, authenticators), key);
  });

  test('propagates an error of its authenticator', async () => {
    await assert.rejects(
      resolve({ 'x-api-key': KEY }, { ...authenticators, apiKey: () => Promise.reject(new Error('database away')) }),
      /database away/,
    );
  });
});

describe('a session', () => {
  test('authenticates its user', async () => {
    assert.equal(await resolve({ cookie: 'session=uma' }), user);
  });
  test('is looked up only if there is a cookie', async () => {
    assert.equal(await resolve({}, secretOnly), ANONYMOUS);
  });
  test('that is invalid is anonymous', async () => {
    assert.equal(await resolve({ cookie: 'session=old' }), ANONYMOUS);
  });

  test('that is invalid stays anonymous from another origin', async () => {
    assert.equal(
      await resolveCaller(
        requestWith({ cookie: 'session=old', origin: 'https://evil.example' }, { method: 'POST' }),
        authenticators,
      ),
      ANONYMOUS,
    );
  });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
    test(`may not ${method} from another origin`, async () => {
      const request = requestWith({ cookie: 'session=uma', origin: 'https://evil.example' }, { method });
      await assert.rejects(resolveCaller(request, authenticators), { code: 'cross_origin', status: 403 });
    });
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    test(`may ${method} from another origin`, async () => {
      assert.equal(
        await resolveCaller(
          requestWith(
            { 'cookie': 'session=uma', 'origin': 'https://evil.example', 'sec-fetch-site': 'cross-site' },
            { method },
          ),
          authenticators,
        ),
        user,
      );
    });
  }
});

describe('refused requests', () => {
  test('unknown keys are counted by client address, known keys are not', async () => {
    const counted: string[] = [];
    const counting = {
      ...authenticators,
      countUnknownKey: (ip: string) => {
        counted.push(ip);
        return Promise.resolve();
      },
    };
    await resolve({ 'x-api-key': KEY }, counting);
    await assert.rejects(resolve({ 'x-api-key': 'reg_unknown' }, counting), { code: 'api_key_invalid' });
    assert.deepEqual(counted, ['192.0.2.1']);
  });

  test('an impersonated session is read-only', async () => {
    const impersonating = { ...authenticators, session: () => Promise.resolve({ ...user, isReadOnly: true }) };
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      assert.equal(
        (await resolveCaller(requestWith({ cookie: 'session=uma' }, { method }), impersonating)).kind,
        'user',
      );
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      await assert.rejects(resolveCaller(requestWith({ cookie: 'session=uma' }, { method }), impersonating), {
        code: 'session_read_only',
      });
    }
  });
});
