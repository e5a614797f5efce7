import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createNetServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { ConfigError, createServer } from '../index.ts';

const SECRETS = { API_KEYS_SALT: 's'.repeat(32), CIPHER_PASSWORD: 'c'.repeat(32), AUTH_SECRET: 'a'.repeat(32) };
const UNREACHABLE_DATABASE = 'postgres://berth:hush@127.0.0.1:1/berth';

let directory: string;
let settingsFile: string;
/** Another program on a port. */
const occupant = createNetServer();

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-start-'));
  settingsFile = join(directory, 'settings.yaml');
  occupant.listen(0, '127.0.0.1');
  await once(occupant, 'listening');
});
after(async () => {
  occupant.close();
  await rm(directory, { recursive: true });
});

const occupiedPort = () => String((occupant.address() as { port: number }).port);
const start = (env: Record<string, string>) =>
  createServer({
    env: { PORT: '0', DATA_DIR: join(directory, 'data'), LOG_LEVEL: 'silent', ...env },
    databaseTimeoutMs: 0,
  });

/** Starts, and returns the one-sentence message of the failure. */
async function refusal(env: Record<string, string>): Promise<string> {
  const error = await start(env).then(
    (server) => server.close(),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `expected a refusal, got ${String(error)}`);
  assert.match(error.message, /^[^\n]+\.$/);
  return error.message;
}

describe('a failed start names the setting to correct in one sentence', () => {
  test('for an invalid value', async () => {
    assert.equal(await refusal({ PORT: 'abc' }), 'PORT is "abc", but it must be an integer from 0 to 65535.');
    assert.equal(
      await refusal({ LOG_LEVEL: 'loud' }),
      'LOG_LEVEL is "loud", but it must be one of fatal, error, warn, info, debug, trace, silent.',
    );
    assert.equal(
      await refusal({ PUBLIC_URL: 'example.org' }),
      'PUBLIC_URL is "example.org", but it must be of the form https://example.org/registry.',
    );
    for (const prefix of ['internal-blobs', '/internal-blobs', '/', '/../'])
      assert.equal(
        await refusal({ ACCEL_REDIRECT_PREFIX: prefix }),
        `ACCEL_REDIRECT_PREFIX is "${prefix}", but it must be of the form /internal-blobs/.`,
      );
    assert.equal(
      await refusal({ API_KEYS_SALT: 'short' }),
      'API_KEYS_SALT has a value of 5 characters (not shown), but it must be a text of at least 32 characters.',
    );
  });

  test('for a port in use', async () => {
    const port = occupiedPort();
    assert.equal(
      await refusal({ PORT: port }),
      `PORT is ${port}, which another program on 127.0.0.1 already uses: stop that program, or choose another port, ` +
        `such as PORT=${Number(port) + 1}.`,
    );
    assert.match(await refusal({ METRICS_PORT: port }), /^METRICS_PORT is \d+, which another program/);
  });

  test('for an address of another machine', async () => {
    assert.equal(await refusal({ HOST: '192.0.2.1' }), 'HOST is 192.0.2.1, which is not an address of this machine.');
    assert.equal(
      await refusal({ HOST: 'nowhere.invalid' }),
      'HOST is nowhere.invalid, which is not an address of this machine.',
    );
  });

  test('for an unknown key, a syntax error and a missing file in BERTH_CONFIG', async () => {
    await writeFile(settingsFile, 'COLOUR: blue');
    assert.match(
      await refusal({ BERTH_CONFIG: settingsFile }),
      /has the unknown setting COLOUR; known settings: PORT, HOST, /,
    );
    await writeFile(settingsFile, 'AUTH_SECRET: [hush\nPORT: {{');
    assert.doesNotMatch(await refusal({ BERTH_CONFIG: settingsFile }), /hush/);
    assert.match(await refusal({ BERTH_CONFIG: join(directory, 'none.yaml') }), /^BERTH_CONFIG is .+ no such file/);
  });

  test('for a file in the place of the folder, and a file that is not a database', async () => {
    await writeFile(settingsFile, '');
    assert.match(
      await refusal({ DATA_DIR: settingsFile }),
      /^DATA_DIR is .+, but a file is in the place of a folder: move the file away, or choose another folder\.$/,
    );
    const dataDir = await mkdtemp(join(directory, 'other-'));
    await writeFile(join(dataDir, 'berth.db'), 'a text file, not a database');
    assert.match(
      await refusal({ DATA_DIR: dataDir }),
      /^DATA_DIR is .+, but its database berth\.db cannot be used: file is not a database\.$/,
    );
  });

  test('for an unreachable PostgreSQL, without its password', async () => {
    const message = await refusal({ DATABASE_URL: UNREACHABLE_DATABASE, ...SECRETS });
    assert.equal(message, 'The database of DATABASE_URL cannot be used: connect ECONNREFUSED 127.0.0.1:1.');
  });

  test('for an invalid e-mail address of the first superadmin', async () => {
    assert.equal(
      await refusal({ DATA_DIR: join(directory, 'fresh'), ADMIN_EMAIL: 'nobody' }),
      'ADMIN_EMAIL is nobody, which is not a valid e-mail address.',
    );
  });
});

test('a start fails on a database that a newer version migrated', async () => {
  const dataDir = join(directory, 'newer');
  await (await start({ DATA_DIR: dataDir })).close();
  const database = new DatabaseSync(join(dataDir, 'berth.db'));
  database.exec(`insert into kysely_migration (name, timestamp) values ('9999-future', '2100-01-01')`);
  database.close();
  await assert.rejects(start({ DATA_DIR: dataDir }), { code: 'database_too_new' });
});

test('a first start that fails because of its port does not consume the password that is shown once', async () => {
  const dataDir = join(directory, 'retried');
  await refusal({ DATA_DIR: dataDir, PORT: occupiedPort() });
  const server = await start({ DATA_DIR: dataDir });
  assert.match(server.firstSuperadmin?.password ?? '', /^.{12,}$/);
  await server.close();
});
