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
const taken = createNetServer();

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-start-'));
  settingsFile = join(directory, 'settings.yaml');
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
});
after(async () => {
  taken.close();
  await rm(directory, { recursive: true });
});

const takenPort = () => String((taken.address() as { port: number }).port);
const start = (env: Record<string, string>) =>
  createServer({
    env: { PORT: '0', DATA_DIR: join(directory, 'data'), LOG_LEVEL: 'silent', ...env },
    databasePatienceMs: 0,
  });

/** Starts, and returns the one sentence by which it was refused. */
async function refusal(env: Record<string, string>): Promise<string> {
  const error = await start(env).then(
    (server) => server.close(),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `expected a refusal, got ${String(error)}`);
  assert.match(error.message, /^[^\n]+\.$/);
  return error.message;
}

describe('a start that cannot succeed says in one sentence which setting to put right', () => {
  test('a value that is none of those it may be', async () => {
    assert.equal(await refusal({ PORT: 'abc' }), 'PORT holds "abc", but it must be a whole number from 0 to 65535.');
    assert.equal(
      await refusal({ LOG_LEVEL: 'loud' }),
      'LOG_LEVEL holds "loud", but it must be one of fatal, error, warn, info, debug, trace, silent.',
    );
    assert.equal(
      await refusal({ PUBLIC_URL: 'example.org' }),
      'PUBLIC_URL holds "example.org", but it must be text like https://example.org/registry.',
    );
    for (const prefix of ['internal-blobs', '/internal-blobs', '/', '/../'])
      assert.equal(
        await refusal({ ACCEL_REDIRECT_PREFIX: prefix }),
        `ACCEL_REDIRECT_PREFIX holds "${prefix}", but it must be text like /internal-blobs/.`,
      );
    assert.equal(
      await refusal({ API_KEYS_SALT: 'short' }),
      'API_KEYS_SALT holds a value of 5 characters (not shown), but it must be text of at least 32 characters.',
    );
  });

  test('a port that another program has taken', async () => {
    const port = takenPort();
    assert.equal(
      await refusal({ PORT: port }),
      `PORT holds ${port}, which another program on 127.0.0.1 has taken: stop that one, or choose another port, ` +
        `such as PORT=${Number(port) + 1}.`,
    );
    assert.match(await refusal({ METRICS_PORT: port }), /^METRICS_PORT holds \d+, which another program/);
  });

  test('an address that is not of this machine', async () => {
    assert.equal(await refusal({ HOST: '192.0.2.1' }), 'HOST holds 192.0.2.1, which is no address of this machine.');
    assert.equal(
      await refusal({ HOST: 'nowhere.invalid' }),
      'HOST holds nowhere.invalid, which is no address of this machine.',
    );
  });

  test('an unknown key, a mistake of syntax and a missing file in BERTH_CONFIG', async () => {
    await writeFile(settingsFile, 'COLOUR: blue');
    assert.match(
      await refusal({ BERTH_CONFIG: settingsFile }),
      /has the unknown setting COLOUR; known are PORT, HOST, /,
    );
    await writeFile(settingsFile, 'AUTH_SECRET: [hush\nPORT: {{');
    assert.doesNotMatch(await refusal({ BERTH_CONFIG: settingsFile }), /hush/);
    assert.match(await refusal({ BERTH_CONFIG: join(directory, 'none.yaml') }), /^BERTH_CONFIG holds .+ no such file/);
  });

  test('a folder that is a file, and a database that is something else', async () => {
    await writeFile(settingsFile, '');
    assert.match(
      await refusal({ DATA_DIR: settingsFile }),
      /^DATA_DIR holds .+, but Berth finds a file where a folder should be\.$/,
    );
    const dataDir = await mkdtemp(join(directory, 'other-'));
    await writeFile(join(dataDir, 'berth.db'), 'a letter to a friend, and no database');
    assert.match(
      await refusal({ DATA_DIR: dataDir }),
      /^DATA_DIR holds .+, whose database berth\.db cannot be used: file is not a database\.$/,
    );
  });

  test('a PostgreSQL that does not answer, without its password', async () => {
    const sentence = await refusal({ DATABASE_URL: UNREACHABLE_DATABASE, ...SECRETS });
    assert.equal(sentence, 'DATABASE_URL names a database that cannot be used: connect ECONNREFUSED 127.0.0.1:1.');
  });

  test('an address of the first superadmin that is none', async () => {
    assert.equal(
      await refusal({ DATA_DIR: join(directory, 'fresh'), ADMIN_EMAIL: 'nobody' }),
      'ADMIN_EMAIL holds nobody, which is no e-mail address.',
    );
  });
});

test('a database that a newer Berth has migrated stops the start', async () => {
  const dataDir = join(directory, 'newer');
  await (await start({ DATA_DIR: dataDir })).close();
  const database = new DatabaseSync(join(dataDir, 'berth.db'));
  database.exec(`insert into kysely_migration (name, timestamp) values ('9999-future', '2100-01-01')`);
  database.close();
  await assert.rejects(start({ DATA_DIR: dataDir }), { code: 'database_too_new' });
});

test('a first start that fails over its port does not use up the password that is shown once', async () => {
  const dataDir = join(directory, 'unlucky');
  await refusal({ DATA_DIR: dataDir, PORT: takenPort() });
  const server = await start({ DATA_DIR: dataDir });
  assert.match(server.firstSuperadmin?.password ?? '', /^.{12,}$/);
  await server.close();
});
