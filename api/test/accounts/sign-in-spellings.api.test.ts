// Every spelling of a sign-in either counts as an attempt on the account or cannot sign in.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DIALECTS } from '../support/test-database.ts';
import { createAccountsApp, createUser, PASSWORD, type AccountsApp } from './accounts-app.ts';

const VICTIM = 'kiki@kelvin.example';
const FAILURES_OF_ACCOUNT = 20;

const CONTENT_TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'APPLICATION/JSON',
  'application/json;charset=utf-16le',
  'application/json; boundary=x',
  ' application/json',
  'application/json, text/plain',
  'application/x-www-form-urlencoded, application/json',
  'application/jsonp',
  'application/vnd.api+json',
  'text/json',
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/x-www-form-urlencoded; charset=utf-8',
  'multipart/form-data; boundary=x',
  'application/octet-stream',
  '*/*',
  undefined,
];

interface Body {
  payload: string | Buffer;
  headers?: Record<string, string>;
}

/** The bodies of a sign-in, by how they are written. */
const BODIES: Record<string, (email: string, password: string) => Body> = {
  'JSON': (email, password) => ({ payload: JSON.stringify({ email, password }) }),
  'JSON with a byte order mark': (email, password) => ({ payload: `\uFEFF${JSON.stringify({ email, password })}` }),
  'JSON with two byte order marks': (email, password) => ({
    payload: `\uFEFF\uFEFF${JSON.stringify({ email, password })}`,
  }),
  'JSON in UTF-16': (email, password) => ({
    payload: Buffer.from(`\uFEFF${JSON.stringify({ email, password })}`, 'utf16le'),
  }),
  'gzipped JSON': (email, password) => ({
    payload: gzipSync(JSON.stringify({ email, password })),
    headers: { 'content-encoding': 'gzip' },
  }),
  'JSON between spaces': (email, password) => ({ payload: `\r\n\t ${JSON.stringify({ email, password })} \n` }),
  'JSON followed by more': (email, password) => ({ payload: `${JSON.stringify({ email, password })}{}` }),
  'JSON with escapes': (email, password) => ({
    payload: `{"\\u0065mail":"\\u006b${email.slice(1)}","p\\u0061ssword":${JSON.stringify(password)}}`,
  }),
  'JSON with the address twice, the last one counting': (email, password) => ({
    payload: `{"email":"decoy@kelvin.example","email":"${email}","password":${JSON.stringify(password)}}`,
  }),
  'JSON with the address twice, the first one counting': (email, password) => ({
    payload: `{"email":"${email}","email":"decoy@kelvin.example","password":${JSON.stringify(password)}}`,
  }),
  'JSON with another case of the names': (email, password) => ({
    payload: JSON.stringify({ Email: email, EMAIL: email, password }),
  }),
  'JSON with further fields': (email, password) => ({
    payload: JSON.stringify({ username: 'decoy', email, password, trustDevice: true, callbackURL: '/', body: {} }),
  }),
  'a JSON list': (email, password) => ({ payload: JSON.stringify([{ email, password }]) }),
  'JSON in JSON': (email, password) => ({ payload: JSON.stringify(JSON.stringify({ email, password })) }),
  'the address in a list': (email, password) => ({ payload: JSON.stringify({ email: [email], password }) }),
  'the password in a list': (email, password) => ({ payload: JSON.stringify({ email, password: [password] }) }),
  'an inherited address': (email, password) => ({
    payload: `{"__proto__":{"email":"${email}"},"password":${JSON.stringify(password)}}`,
  }),
  'a form': (email, password) => ({ payload: new URLSearchParams({ email, password }).toString() }),
  'a multipart form': (email, password) => ({
    payload: Object.entries({ email, password })
      .map(([name, value]) => `--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
      .concat('--x--\r\n')
      .join(''),
  }),
  'nothing': () => ({ payload: '' }),
};

/** Spellings of the address, some of which are other addresses. */
const ADDRESSES = [
  'KIKI@KELVIN.EXAMPLE',
  'Kiki@Kelvin.example',
  ` ${VICTIM}`,
  `${VICTIM}\n`,
  `\t${VICTIM}\r\n`,
  `\u00A0${VICTIM}\u3000`,
  `\uFEFF${VICTIM}`,
  `\u200B${VICTIM}`,
  `${VICTIM}\u0000`,
  `${VICTIM}.`,
  'kiki@\u212Aelvin.example',
  '\u212Ai\u212Ai@kelvin.example',
  'k\u0131k\u0131@kelvin.example',
  'k\u0130ki@kelvin.example',
  'ｋｉｋｉ@kelvin.example',
  'kiki＠kelvin.example',
  'kiki@kelvin。example',
  'ki\u00ADki@kelvin.example',
  'kiki+tag@kelvin.example',
  '"kiki"@kelvin.example',
  `<${VICTIM}>`,
  `mailto:${VICTIM}`,
  'kiki@kelvin.example,other@kelvin.example',
  `${VICTIM} `,
];

for (const dialect of DIALECTS) {
  describe(`a sign-in, however it is spelt, on ${dialect},`, () => {
    let it: AccountsApp;
    before(async () => {
      it = await createAccountsApp(dialect);
      await createUser(await it.admin(), VICTIM);
    });
    after(() => it.close());

    const counter = `sign-in:${createHash('sha256').update(VICTIM).digest('base64url')}`;
    const countedFailures = async () =>
      (
        await it.database.db
          .selectFrom('failed_attempts')
          .select('count')
          .where('subject', '=', counter)
          .executeTakeFirst()
      )?.count ?? 0;
    const setFailures = async (count: number) => {
      await it.database.db.deleteFrom('failed_attempts').execute();
      if (count > 0)
        await it.database.db
          .insertInto('failed_attempts')
          .values({ subject: counter, count, until: new Date(Date.now() + 60_000).toISOString() })
          .execute();
    };
    let address = 0;
    const attempt = async ({ payload, headers }: Body, contentType: string | undefined) => {
      const response = await it.app.inject({
        method: 'POST',
        url: '/api/auth/sign-in/email',
        remoteAddress: `10.0.${Math.floor(address / 250)}.${address++ % 250}`,
        headers: { ...(contentType !== undefined && { 'content-type': contentType }), ...headers },
        payload,
      });
      return {
        status: response.statusCode,
        signsIn: response.cookies.some(({ name }) => name.endsWith('session_token')),
      };
    };

    /** @returns whether the spelling signs in */
    async function check(label: string, contentType: string | undefined, write: (password: string) => Body) {
      const right = await attempt(write(PASSWORD), contentType);
      assert.equal(right.signsIn, right.status === 200, label);
      const wrong = await attempt(write('wrong password'), contentType);
      if (right.status === 400 || right.status === 415) {
        assert.equal(wrong.status, right.status, `${label}: is not accepted at all`);
        return false;
      }
      // Either it signs in, or it is for another address.
      assert.deepEqual([wrong.status, await countedFailures()], [401, right.signsIn ? 1 : 0], label);
      await setFailures(FAILURES_OF_ACCOUNT);
      const blocked = await attempt(write(PASSWORD), contentType);
      assert.equal(blocked.status, right.signsIn ? 429 : right.status, `${label}: at a blocked account`);
      await setFailures(0);
      return right.signsIn;
    }

    test('counts as an attempt on the account, or is not accepted at all', async () => {
      const accepted = new Set<string>();
      // How a body is read does not depend on the database: all types on one of them.
      for (const contentType of dialect === 'sqlite' ? CONTENT_TYPES : CONTENT_TYPES.slice(0, 2))
        for (const [name, write] of Object.entries(BODIES)) {
          const label = `${name} as ${contentType}`;
          if (await check(label, contentType, (password) => write(VICTIM, password))) accepted.add(label);
        }
      for (const label of [
        'JSON as application/json',
        'JSON as application/json; charset=utf-8',
        'JSON between spaces as application/json',
        'JSON with further fields as application/json',
      ])
        assert.ok(accepted.has(label), label);
      for (const label of accepted) assert.match(label, /^JSON.* as +application\/json/i);
    });

    test('counts for the address, in whichever form it is given', async () => {
      const accepted: string[] = [];
      for (const email of ADDRESSES) {
        const write = (password: string): Body => ({ payload: JSON.stringify({ email, password }) });
        if (await check(JSON.stringify(email), 'application/json', write)) accepted.push(email);
      }
      for (const email of ['KIKI@KELVIN.EXAMPLE', `\t${VICTIM}\r\n`, `\u00A0${VICTIM}\u3000`])
        assert.ok(accepted.includes(email), JSON.stringify(email));
    });

    test('is refused with 400 or 415 if address or password cannot be read', async () => {
      const refused: [Body, string | undefined, number][] = [
        [{ payload: JSON.stringify({ email: VICTIM }) }, 'application/json', 400],
        [{ payload: JSON.stringify({ password: PASSWORD }) }, 'application/json', 400],
        [{ payload: JSON.stringify({ email: { a: VICTIM }, password: PASSWORD }) }, 'application/json', 400],
        [{ payload: JSON.stringify({ email: VICTIM, password: 12345678 }) }, 'application/json', 400],
        [{ payload: 'null' }, 'application/json', 400],
        [{ payload: `email=${VICTIM}&password=${PASSWORD}` }, 'application/x-www-form-urlencoded', 415],
        [{ payload: JSON.stringify({ email: VICTIM, password: PASSWORD }) }, 'text/plain', 415],
        [{ payload: JSON.stringify({ email: VICTIM, password: PASSWORD }) }, undefined, 415],
      ];
      for (const [body, contentType, status] of refused)
        assert.equal((await attempt(body, contentType)).status, status, `${String(body.payload)} as ${contentType}`);
    });
  });
}
