import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, test } from 'node:test';
import { ANONYMOUS, cameThroughProxy } from '../../src/access/index.ts';
import { KEY, key, resolve, SECRET, secretOnly, user } from './authenticators.ts';

describe('the internal secret', () => {
  test('authenticates an internal service without consulting other authenticators', async () => {
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
    test(`is refused without fallback if it is ${JSON.stringify(secretKey.slice(0, 40))}`, async () => {
      const headers = { 'x-secret-key': secretKey, 'x-api-key': KEY, 'cookie': 'session=uma' };
      await assert.rejects(resolve(headers, secretOnly), { code: 'secret_key_wrong', status: 401 });
    });
  }

  for (const internalSecret of [undefined, '']) {
    for (const secretKey of ['', 'undefined', 'anything']) {
      const setting = JSON.stringify(internalSecret);
      test(`is off if the setting is ${setting}: ${JSON.stringify(secretKey)} is refused`, async () => {
        await assert.rejects(resolve({ 'x-secret-key': secretKey }, { ...secretOnly, internalSecret }), {
          code: 'secret_key_wrong',
        });
      });
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
    test(`is refused through the public proxy, whether right or wrong: ${JSON.stringify(headers)}`, async () => {
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
    test(`is accepted if no proxy forwarded a host: ${JSON.stringify(headers)}`, async () => {
      assert.equal(cameThroughProxy(headers), false);
      assert.deepEqual(await resolve({ ...headers, 'x-secret-key': SECRET }, secretOnly), { kind: 'internal' });
    });
  }
});

describe('x-account', () => {
  /** As Node decodes headers: one Latin-1 character per byte of the UTF-8 text. */
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
    'a null name and an empty department': [
      '{"type":"organization","id":"acme","name":null,"department":""}',
      { type: 'organization', id: 'acme' },
    ],
    'a department of a user, which is ignored': [
      '{"type":"user","id":"uma","department":"geo"}',
      { type: 'user', id: 'uma' },
    ],
    'an empty department of a user': ['{"type":"user","id":"uma","department":""}', { type: 'user', id: 'uma' }],
    'unknown fields, which are ignored': ['{"type":"user","id":"uma","isAdmin":true}', { type: 'user', id: 'uma' }],
    'a name in UTF-8': [
      sentAsUtf8('{"type":"organization","id":"écluse","name":"Écluse 東"}'),
      { type: 'organization', id: 'écluse', name: 'Écluse 東' },
    ],
    'a name in Latin-1': ['{"type":"organization","id":"écluse"}', { type: 'organization', id: 'écluse' }],
    'a name in JSON escapes': ['{"type":"user","id":"\\u00e9"}', { type: 'user', id: 'é' }],
    'an id of 256 characters': [`{"type":"user","id":"${'u'.repeat(256)}"}`, { type: 'user', id: 'u'.repeat(256) }],
  };
  for (const [name, [header, account]] of Object.entries(accepted)) {
    test(`restricts to the account: ${name}`, async () => {
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
    '{"type":"user","id":"a\\u0000"}',
    '{"type":"organization","id":"a","department":"a\\nb"}',
    `{"type":"user","id":"${'u'.repeat(257)}"}`,
    `{"type":"user","id":"u","name":"${'u'.repeat(257)}"}`,
    '{"type":"user","id":"a"}, {"type":"user","id":"b"}',
    '[{"type":"user","id":"a"}]',
  ];
  for (const header of malformed) {
    test(`is refused if it is ${header.slice(0, 60)}`, async () => {
      await assert.rejects(accountOf(header), { code: 'account_header_invalid', status: 400 });
    });
  }

  test('is not parsed if the secret is wrong', async () => {
    await assert.rejects(resolve({ 'x-secret-key': 'wrong', 'x-account': '{' }, secretOnly), {
      code: 'secret_key_wrong',
    });
  });

  test('is ignored without the secret', async () => {
    const header = { 'x-account': '{"type":"organization","id":"acme"}' };
    assert.equal(await resolve(header), ANONYMOUS);
    assert.equal(await resolve({ ...header, 'x-api-key': KEY }), key);
    assert.equal(await resolve({ ...header, cookie: 'session=uma' }), user);
  });
});
