import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, test } from 'node:test';
import {
  ANONYMOUS,
  assertSameOrigin,
  cameThroughProxy,
  resolveCaller,
  type Authenticators,
  type CallerRequest,
} from '../../src/access/index.ts';
import { readKeyCaller, uploadKeyCaller, userCaller } from './callers.ts';

const SECRET = 'the internal secret';
const KEY = 'reg_00000001_key';
const user = userCaller();
const key = uploadKeyCaller();

const authenticators: Authenticators = {
  internalSecret: SECRET,
  apiKey: (rawKey) => Promise.resolve(rawKey === KEY ? key : undefined),
  countUnknownKey: () => Promise.resolve(),
  session: ({ cookie }) => Promise.resolve(cookie === 'session=uma' ? user : undefined),
};
/** With these, whoever asks for a key or a session fails the test. */
const secretOnly: Authenticators = {
  internalSecret: SECRET,
  apiKey: unexpected,
  countUnknownKey: unexpected,
  session: unexpected,
};

function unexpected(): never {
  throw new Error('an authenticator was asked that should not have been');
}

const requestWith = (headers: IncomingHttpHeaders, changes: Partial<CallerRequest> = {}): CallerRequest => ({
  method: 'GET',
  headers,
  host: 'berth.example',
  ip: '192.0.2.1',
  ...changes,
});
const resolve = (headers: IncomingHttpHeaders, given = authenticators) => resolveCaller(requestWith(headers), given);

describe('the internal secret', () => {
  test('makes an internal service, and nobody else is asked', async () => {
    assert.deepEqual(
      await resolve(
        { 'x-secret-key': SECRET, 'x-api-key': KEY, 'authorization': `Bearer ${KEY}`, 'cookie': 'session=uma' },
        secretOnly,
      ),
      { kind: 'internal' },
    );
  });

  const wrong = [
    '',
    ' ',
    'the internal secre',
    'the internal secret ',
    'The internal secret',
    'x'.repeat(100_000),
    `${SECRET}, ${SECRET}`,
  ];
  for (const secretKey of wrong) {
    test(
      `is refused when it is ${JSON.stringify(secretKey.slice(0, 40))}, without falling back to a key ` +
        'or a session',
      async () => {
        const headers = { 'x-secret-key': secretKey, 'x-api-key': KEY, 'cookie': 'session=uma' };
        await assert.rejects(resolve(headers, secretOnly), { code: 'secret_key_wrong', status: 401 });
      },
    );
  }

  for (const internalSecret of [undefined, '']) {
    for (const secretKey of ['', 'undefined', 'anything']) {
      test(
        'is off when the setting ' + `is ${JSON.stringify(internalSecret)}: ${JSON.stringify(secretKey)} is refused`,
        async () => {
          await assert.rejects(resolve({ 'x-secret-key': secretKey }, { ...secretOnly, internalSecret }), {
            code: 'secret_key_wrong',
          });
        },
      );
    }
  }

  const proxied: IncomingHttpHeaders[] = [
    { 'x-forwarded-host': 'berth.example' },
    { 'x-forwarded-host': '' },
    { forwarded: 'host=berth.example' },
    { forwarded: 'for=192.0.2.1;proto=https;host=berth.example' },
    { forwarded: 'for=192.0.2.1; Host = "berth.example:8443"' },
    { forwarded: 'for=192.0.2.1, for=192.0.2.2;host=berth.example' },
    { forwarded: 'HOST=' },
  ];
  for (const headers of proxied) {
    test(`is refused through the public proxy, right or wrong: ${JSON.stringify(headers)}`, async () => {
      assert.equal(cameThroughProxy(headers), true);
      for (const secretKey of [SECRET, 'wrong']) {
        await assert.rejects(resolve({ ...headers, 'x-secret-key': secretKey }, secretOnly), {
          code: 'secret_key_through_proxy',
          status: 421,
        });
      }
    });
  }

  const direct: IncomingHttpHeaders[] = [
    {},
    { host: 'berth.example' },
    { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' },
    { forwarded: 'for=192.0.2.1;proto=https' },
    { forwarded: 'for=192.0.2.1;xhost=a' },
  ];
  for (const headers of direct) {
    test(`is accepted where no proxy names a host: ${JSON.stringify(headers)}`, async () => {
      assert.equal(cameThroughProxy(headers), false);
      assert.deepEqual(await resolve({ ...headers, 'x-secret-key': SECRET }, secretOnly), { kind: 'internal' });
    });
  }
});

describe('x-account', () => {
  /** As Node hands it over: each byte of the UTF-8 text is one Latin-1 character. */
  const sentAsUtf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
  const accountOf = async (header: string) => {
    const caller = await resolve({ 'x-secret-key': SECRET, 'x-account': header }, secretOnly);
    return 'account' in caller ? caller.account : undefined;
  };

  const accepted: Record<string, [header: string, account: object]> = {
    'a user': ['{"type":"user","id":"uma"}', { type: 'user', id: 'uma' }],
    'an organisation with a name': [
      '{"type":"organization","id":"acme","name":"Acme"}',
      { type: 'organization', id: 'acme', name: 'Acme' },
    ],
    'a department': [
      '{"type":"organization","id":"acme","department":"geo"}',
      { type: 'organization', id: 'acme', department: 'geo' },
    ],
    'no department where it is null or empty': [
      '{"type":"organization","id":"acme","name":null,"department":""}',
      { type: 'organization', id: 'acme' },
    ],
    'no department of a user where it is empty': [
      '{"type":"user","id":"uma","department":""}',
      { type: 'user', id: 'uma' },
    ],
    'fields that nobody asked for': ['{"type":"user","id":"uma","isAdmin":true}', { type: 'user', id: 'uma' }],
    'a name in UTF-8': [
      sentAsUtf8('{"type":"organization","id":"écluse","name":"Écluse 東"}'),
      { type: 'organization', id: 'écluse', name: 'Écluse 東' },
    ],
    'a name in Latin-1': ['{"type":"organization","id":"écluse"}', { type: 'organization', id: 'écluse' }],
    'a name in JSON escapes': ['{"type":"user","id":"\\u00e9"}', { type: 'user', id: 'é' }],
    'an id of 256 characters': [`{"type":"user","id":"${'u'.repeat(256)}"}`, { type: 'user', id: 'u'.repeat(256) }],
  };
  for (const [name, [header, account]] of Object.entries(accepted)) {
    test(`narrows to an account with ${name}`, async () => {
      assert.deepEqual(await accountOf(header), account);
    });
  }

  const malformed = [
    '',
    'acme',
    '{',
    'null',
    '[]',
    '"acme"',
    '7',
    '{}',
    '{"type":"user"}',
    '{"id":"acme"}',
    '{"type":"team","id":"acme"}',
    '{"type":"user","id":""}',
    '{"type":"user","id":7}',
    '{"type":"user","id":null}',
    '{"type":"user","id":"a","name":7}',
    '{"type":"organization","id":"a","department":["geo"]}',
    '{"type":"user","id":"uma","department":"geo"}',
    '{"type":"user","id":"a\\u0000"}',
    '{"type":"organization","id":"a","department":"a\\nb"}',
    `{"type":"user","id":"${'u'.repeat(257)}"}`,
    `{"type":"user","id":"u","name":"${'u'.repeat(257)}"}`,
    '{"type":"user","id":"a"}, {"type":"user","id":"b"}',
    '[{"type":"user","id":"a"}]',
  ];
  for (const header of malformed) {
    test(`is refused when it is ${header.slice(0, 60)}`, async () => {
      await assert.rejects(accountOf(header), { code: 'account_header_invalid', status: 400 });
    });
  }

  test('is not even read when the secret is wrong', async () => {
    await assert.rejects(resolve({ 'x-secret-key': 'wrong', 'x-account': '{' }, secretOnly), {
      code: 'secret_key_wrong',
    });
  });

  test('means nothing without the secret', async () => {
    const header = { 'x-account': '{"type":"organization","id":"acme"}' };
    assert.equal(await resolve(header), ANONYMOUS);
    assert.equal(await resolve({ ...header, 'x-api-key': KEY }), key);
    assert.equal(await resolve({ ...header, cookie: 'session=uma' }), user);
  });
});

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

  test('comes before the session', async () => {
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
    test(`is refused when it is none, without falling back to a session: ${JSON.stringify(it)}`, async () => {
      await assert.rejects(resolve({ ...it, cookie: 'session=uma' }, { ...authenticators, session: unexpected }), {
        code: 'api_key_invalid',
        status: 401,
      });
    });
  }

  for (const authorization of ['Basic dW1hOnNlY3JldA==', 'Bearerx', '']) {
    test(`is not what another scheme carries: ${JSON.stringify(authorization)}`, async () => {
      assert.equal(await resolve({ authorization }, { ...authenticators, apiKey: unexpected }), ANONYMOUS);
      assert.equal(
        await resolve({ authorization, cookie: 'session=uma' }, { ...authenticators, apiKey: unexpected }),
        user,
      );
    });
  }

  test('needs no same origin to change something', async () => {
    const request = requestWith(
      { 'x-api-key': KEY, 'origin': 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      { method: 'POST' },
    );
    assert.equal(await resolveCaller(request, authenticators), key);
  });

  test('lets a failure of its authenticator through', async () => {
    await assert.rejects(
      resolve({ 'x-api-key': KEY }, { ...authenticators, apiKey: () => Promise.reject(new Error('database away')) }),
      /database away/,
    );
  });
});

describe('a session', () => {
  test('makes its user', async () => {
    assert.equal(await resolve({ cookie: 'session=uma' }), user);
  });
  test('is asked for only where there is a cookie', async () => {
    assert.equal(await resolve({}, secretOnly), ANONYMOUS);
  });
  test('that does not hold is anonymous', async () => {
    assert.equal(await resolve({ cookie: 'session=old' }), ANONYMOUS);
  });

  test('that does not hold stays anonymous from another origin', async () => {
    assert.equal(
      await resolveCaller(
        requestWith({ cookie: 'session=old', origin: 'https://evil.example' }, { method: 'POST' }),
        authenticators,
      ),
      ANONYMOUS,
    );
  });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
    test(`of another origin does no ${method}`, async () => {
      const request = requestWith({ cookie: 'session=uma', origin: 'https://evil.example' }, { method });
      await assert.rejects(resolveCaller(request, authenticators), { code: 'cross_origin', status: 403 });
    });
  }
  for (const method of ['GET', 'HEAD', 'OPTIONS']) {
    test(`of another origin may ${method}`, async () => {
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

describe('the same-origin rule', () => {
  type Case = [headers: IncomingHttpHeaders, host?: string];
  const accepted: Case[] = [
    [{}],
    [{ origin: 'https://berth.example' }],
    [{ origin: 'http://berth.example' }],
    [{ origin: 'https://BERTH.example' }],
    [{ origin: 'https://berth.example' }, 'Berth.Example'],
    [{ origin: 'http://localhost:8080' }, 'localhost:8080'],
    [{ origin: 'http://[::1]:8080' }, '[::1]:8080'],
    [{ origin: 'https://berth.example' }, 'berth.example:443'],
    [{ origin: 'http://berth.example:80' }],
    [{ 'sec-fetch-site': 'same-origin' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ 'sec-fetch-site': 'same-origin', 'origin': 'https://berth.example' }],
    [{ origin: 'https://berth.example', forwarded: 'for=192.0.2.1;host=berth.example' }, '10.0.0.7:8080'],
    [{ origin: 'https://berth.example:8443', forwarded: 'host="berth.example:8443", host=inner' }, '10.0.0.7:8080'],
  ];
  for (const [headers, host = 'berth.example'] of accepted) {
    test(`lets pass ${JSON.stringify(headers)} at ${host}`, () => {
      assertSameOrigin({ method: 'POST', headers, host });
    });
  }

  const refused: Case[] = [
    [{ origin: 'https://evil.example' }],
    [{ origin: 'https://berth.example.evil.example' }],
    [{ origin: 'https://sub.berth.example' }],
    [{ origin: 'https://berth.example:8443' }],
    [{ origin: 'https://berth.example' }, 'berth.example:80'],
    [{ origin: 'http://localhost:3000' }, 'localhost:8080'],
    [{ origin: 'null' }],
    [{ origin: '' }],
    [{ origin: 'berth.example' }],
    [{ origin: 'file://' }, ''],
    [{ origin: 'https://berth.example' }, ''],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ 'sec-fetch-site': '' }],
    [{ 'sec-fetch-site': 'unheard-of' }],
    [{ 'sec-fetch-site': 'same-origin', 'origin': 'https://evil.example' }],
    [{ 'sec-fetch-site': 'cross-site', 'origin': 'https://berth.example' }],
    [{ origin: 'https://evil.example', forwarded: 'host=berth.example' }],
    [{ origin: 'https://inner', forwarded: 'host="berth.example", host=inner' }, '10.0.0.7:8080'],
  ];
  for (const [headers, host = 'berth.example'] of refused) {
    test(`refuses ${JSON.stringify(headers)} at ${JSON.stringify(host)}`, () => {
      assert.throws(
        () => {
          assertSameOrigin({ method: 'POST', headers, host });
        },
        { code: 'cross_origin', status: 403 },
      );
    });
  }
});

describe('what may not pass', () => {
  test('unknown keys are counted by the address that they come from, known ones are not', async () => {
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

  test('a session through which somebody else looks changes nothing', async () => {
    const looking = { ...authenticators, session: () => Promise.resolve({ ...user, isReadOnly: true }) };
    for (const method of ['GET', 'HEAD', 'OPTIONS'])
      assert.equal((await resolveCaller(requestWith({ cookie: 'session=uma' }, { method }), looking)).kind, 'user');
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      await assert.rejects(resolveCaller(requestWith({ cookie: 'session=uma' }, { method }), looking), {
        code: 'session_read_only',
      });
    }
  });
});
