// Settings whose mistakes would only show when the server starts: it serves, or refuses in one sentence.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, createServer } from '../../index.ts';
import { readConfig } from '../../src/config/index.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { MARK, TEXTS } from './settings.ts';

const scratch = mkdtempSync(join(tmpdir(), 'berth-settings-'));
after(() => {
  rmSync(scratch, { recursive: true });
});

const NOWHERE = 'http://127.0.0.1:1';
const SECRETS = { API_KEYS_SALT: 's'.repeat(32), CIPHER_PASSWORD: 'c'.repeat(32), AUTH_SECRET: 'a'.repeat(32) };

type Env = Record<string, string>;

/** Settings of which many mistakes are possible at once, and what else must be set for them to take effect. */
const TOGETHER: [names: string[], others: Env][] = [
  [
    [
      'PUBLIC_URL',
      'TRUSTED_PROXIES',
      'FRAME_ANCESTORS',
      'ADMIN_PASSWORD',
      'SECRET_INTERNAL_SERVICES',
      'CATEGORIES',
      'SMTP_URL',
      'MAIL_FROM',
      'HTTP_PROXY',
      'NO_PROXY',
      'KEY_EXPIRY_WEBHOOK_URL',
      'OIDC_ISSUER',
      'OIDC_CLIENT_ID',
      'OIDC_SCOPES',
      'ACCEL_REDIRECT_PREFIX',
    ],
    { OIDC_ISSUER: NOWHERE, OIDC_CLIENT_ID: 'berth', OIDC_CLIENT_SECRET: 'a secret', SMTP_URL: 'smtp://127.0.0.1:1' },
  ],
  [
    ['DIRECTORY_URL', 'PRIVATE_DIRECTORY_URL', 'DIRECTORY_TOKEN_ISSUER', 'DIRECTORY_TOKEN_AUDIENCE'],
    { AUTH_MODE: 'simple-directory', DIRECTORY_URL: NOWHERE },
  ],
];
const MISTAKES: Env = {
  ...Object.fromEntries(
    ['words', 'other letters', 'a broken escape', 'a star'].map((kind) => [kind, TEXTS[kind] ?? '']),
  ),
  'a long text': 'x'.repeat(2000),
  'a URL that nothing answers': 'https://127.0.0.1:1/a/%7e/',
};
/** Settings of which each mistake ends the start. */
const ALONE: [name: string, value: string, others?: Env][] = [
  ['HOST', '192.0.2.1'],
  ['HOST', '256.1.1.1'],
  ['HOST', '::1%none'],
  ['DATA_DIR', '/proc/berth'],
  ['DATA_DIR', `/tmp/${'x'.repeat(300)}`],
  ['DATA_DIR', '/dev/null/berth'],
  ['ADMIN_EMAIL', 'nobody'],
  ['ADMIN_EMAIL', `${MARK}@é`],
  ['DATABASE_URL', 'postgres://', SECRETS],
  ['DATABASE_URL', `postgres://berth:${MARK}%zz@127.0.0.1:1/berth`, SECRETS],
  ['DATABASE_URL', `postgres://berth:${MARK}@127.0.0.1:1/berth?sslmode=verify-full&sslcert=/missing`, SECRETS],
  ['DATABASE_URL', `postgres://berth:${MARK}@127.0.0.1:1/berth?sslmode=verify-full&sslcert=/`, SECRETS],
];

let last = 0;

/** Starts a server, which must serve, or be refused in a sentence with one of the names. */
async function startOrRefuse(names: string[], env: Env): Promise<void> {
  const settings = { PORT: '0', LOG_LEVEL: 'silent', DATA_DIR: join(scratch, String(++last)), ...env };
  const result = await createServer({ env: settings, passwords: FAST_PASSWORDS, databaseTimeoutMs: 0 }).catch(
    (error: unknown) => error,
  );
  if (result instanceof Error) {
    assert.ok(result instanceof ConfigError, result.stack);
    assert.match(result.message, /^[^\p{Cc}]+\.$/u);
    assert.ok(
      names.some((name) => result.message.includes(name)),
      result.message,
    );
    if (names[0] === 'DATABASE_URL') assert.ok(!result.message.includes(MARK));
    return;
  }
  const server = result as Awaited<ReturnType<typeof createServer>>;
  for (const path of ['/api/ping', '/', '/api/v1/sign-in'])
    assert.equal((await fetch(server.address + path)).status, 200, path);
  await server.close();
}

function isRead(env: Env): boolean {
  try {
    readConfig(env);
    return true;
  } catch {
    return false;
  }
}

for (const [names, others] of TOGETHER)
  for (const [kind, text] of Object.entries(MISTAKES))
    test(`${kind} as ${names[0]} and ${names.length - 1} others: a server serves, or is refused`, async () => {
      const accepted = names.filter((name) => isRead({ ...others, [name]: text }));
      assert.ok(accepted.length > 0);
      await startOrRefuse(accepted, { ...others, ...Object.fromEntries(accepted.map((name) => [name, text])) });
    });

for (const [name, value, others = {}] of ALONE)
  test(`${value.slice(0, 80)} as ${name}: a server serves, or is refused`, () =>
    startOrRefuse([name], { ...others, [name]: value }));

test('a start logs what is probably wrong with its settings', async () => {
  const lines: string[] = [];
  const server = await createServer({
    env: { PORT: '0', DATA_DIR: join(scratch, String(++last)), LOG_LEVEL: 'warn', MAX_UPLOAD_BYTE: '1' },
    passwords: FAST_PASSWORDS,
    logStream: { write: (line) => lines.push(line) },
  });
  await server.close();
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
    ['check the settings: MAX_UPLOAD_BYTE is not a setting: did you mean MAX_UPLOAD_BYTES?'],
  );
});
