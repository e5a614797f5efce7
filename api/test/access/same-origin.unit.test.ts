import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { describe, test } from 'node:test';
import { assertSameOrigin } from '../../src/access/index.ts';

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
    test(`allows ${JSON.stringify(headers)} at ${host}`, () => {
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
