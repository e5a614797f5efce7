import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ADMIN_EMAIL, ADMIN_PASSWORD, startTestServer, type TestServer } from '../support/test-server.ts';
import { codeOf } from '../support/totp.ts';

const PROGRAM = join(import.meta.dirname, '../../../cli/bin/berth.js');

describe('signing in on the command line with a second factor', () => {
  let berth: TestServer;
  let home: string;
  let secret: string;
  let backupCodes: string[];
  before(async () => {
    [berth, home] = await Promise.all([startTestServer(), mkdtemp(join(tmpdir(), 'berth-home-'))]);
    const ask = async (path: string, body: object) =>
      fetch(`${berth.url}/api/auth/two-factor/${path}`, {
        method: 'POST',
        headers: { ...(await berth.superadmin()), 'content-type': 'application/json', 'origin': berth.url },
        body: JSON.stringify(body),
      });
    const enabled = (await (await ask('enable', { password: ADMIN_PASSWORD })).json()) as {
      totpURI: string;
      backupCodes: string[];
    };
    secret = new URL(enabled.totpURI).searchParams.get('secret') ?? '';
    ({ backupCodes } = enabled);
    const verified = await ask('verify-totp', { code: codeOf(secret) });
    assert.equal(verified.status, 200, await verified.text());
  });
  after(async () => {
    await berth.close();
    await rm(home, { recursive: true, force: true });
  });

  function run(...words: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
    const env = {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_CONFIG_HOME: home,
      BERTH_URL: berth.url,
      BERTH_PASSWORD: ADMIN_PASSWORD,
    };
    return new Promise((done) =>
      execFile(process.execPath, [PROGRAM, ...words], { env }, (error, stdout, stderr) =>
        done({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
      ).stdin?.end(),
    );
  }
  const login = (...words: string[]) => run('login', berth.url, '--email', ADMIN_EMAIL, ...words);

  test('requires a code and refuses a wrong one', async () => {
    const without = await login();
    assert.equal(without.status, 1);
    assert.match(without.stderr, /^berth login: this user has two-factor authentication: give the code with --code$/m);
    const wrong = await login('--code', '000000');
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /^berth login: .*code/im);
    assert.equal((await run('keys', 'ls')).status, 1);
  });

  test('accepts a code of the authenticator app', async () => {
    const { status, stderr } = await login('--code', codeOf(secret, 1));
    assert.equal(status, 0, stderr);
    assert.equal((await run('keys', 'ls')).stdout, 'No API keys.\n');
  });

  test('accepts a backup code', async () => {
    const { status, stderr } = await login('--code', backupCodes[0] ?? '');
    assert.equal(status, 0, stderr);
    assert.equal((await run('publishers', 'ls')).stdout, 'No trusted publishers.\n');
  });
});
