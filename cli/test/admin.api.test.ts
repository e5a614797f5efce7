import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { ADMIN, startTestRegistry, type TestRegistry } from './test-registry.ts';

let registry: TestRegistry;
let { url, scratch, berth } = {} as TestRegistry;
let key: string;
before(async () => {
  registry = await startTestRegistry();
  ({ url, scratch, berth } = registry);
  key = await registry.uploadKey();
});
after(() => registry.stop());

describe('berth keys and grants', () => {
  let env: { XDG_CONFIG_HOME: string };
  before(() => {
    env = { XDG_CONFIG_HOME: join(scratch, 'admin') };
  });
  const run = async (words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await berth(words, { env });
    assert.deepEqual([status, stderr], [0, ''], words.join(' '));
    return stdout.trimEnd();
  };
  const statusOf = async (raw: string) =>
    (await fetch(`${url}/api/v1/artefacts`, { headers: { 'x-api-key': raw } })).status;

  test('require a session, which berth login opens with a password', async () => {
    const { status, stderr } = await berth(['keys', 'ls', '--url', url], { env });
    assert.deepEqual(
      [status, stderr],
      [1, `berth keys: this command requires a session: run berth login ${url} --email you@example.org\n`],
    );
    assert.match(
      (await berth(['login', url, '--email', ADMIN.email], { env, input: 'a wrong password' })).stderr,
      /^berth login: .+\n$/,
    );
    const signedIn = await berth(['login', url, '--email', ADMIN.email], { env, input: `${ADMIN.password}\n` });
    assert.deepEqual([signedIn.status, signedIn.stdout], [0, `Logged in to ${url} as ${ADMIN.email}.\n`]);
    assert.ok(!readFileSync(join(env.XDG_CONFIG_HOME, 'berth/config.json'), 'utf8').includes(ADMIN.password));
  });

  test('create, list, rotate and revoke keys', async () => {
    const created = await run([
      'keys',
      'create',
      'pipeline',
      '--package',
      '@acme/gpkg',
      '--prefix',
      '@acme/',
      '--expires',
      '2099-12-31',
    ]);
    assert.match(created, /^reg_[^_]{8}_[0-9a-f]{64}$/);
    assert.equal(await statusOf(created), 200);
    const [key] = (
      JSON.parse(await run(['keys', 'ls', '--type', 'upload', '--json'])) as { _id: string; name: string }[]
    ).filter(({ name }) => name === 'pipeline');
    const id = key?._id ?? '';
    const shortId = created.slice('reg_'.length, 12);
    assert.match(
      await run(['keys', 'ls']),
      new RegExp(
        `^ID .+\\n(.+\\n)*${id} +upload +pipeline +${shortId} +prefix @acme/, package @acme/gpkg ` +
          `+2099-12-31 +\\d{4}-`,
      ),
    );
    const next = await run(['keys', 'rotate', id, '--overlap', '0', '--expires', 'never']);
    assert.deepEqual([await statusOf(created), await statusOf(next)], [401, 200]);
    assert.equal(await run(['keys', 'revoke', id]), `Revoked ${id}.`);
    assert.equal(await statusOf(next), 401);
    const refused = await berth(['keys', 'revoke', id], { env });
    assert.deepEqual(
      [refused.status, refused.stderr],
      [1, 'berth keys: No key has this ID: it may have been revoked.\n'],
    );
    const open = await berth(['keys', 'create', 'open', '--prefix', '@acme/foo'], { env });
    assert.match(open.stdout, /^reg_\S+\n$/);
    assert.match(
      open.stderr,
      /^berth keys: The prefix @acme\/foo also covers longer names such as @acme\/foos: .+\n$/,
    );
    assert.match(
      (await berth(['keys', 'create', 'x', '--category', 'nothing'], { env })).stderr,
      /^berth keys: .+allowedCategory must be one of .+\n$/,
    );
  });

  test('add, list and remove trusted publishers', async () => {
    const added = await run([
      'publishers',
      'add',
      'gpkg',
      '--provider',
      'github',
      '--repository',
      'acme/import-gpkg',
      '--repository-id',
      '42',
      '--workflow',
      '.github/workflows/publish.yml',
      '--branch',
      'main',
      '--tag',
      'v*',
      '--environment',
      'production',
      '--event',
      'push',
      '--event',
      'release',
      '--package',
      '@acme/gpkg',
      '--json',
    ]);
    const { _id: id, ...publisher } = JSON.parse(added) as { _id: string };
    assert.partialDeepStrictEqual(publisher, {
      name: 'gpkg',
      provider: 'github',
      issuer: 'https://token.actions.githubusercontent.com',
      repository: 'acme/import-gpkg',
      repositoryId: '42',
      workflow: 'publish.yml',
      branch: 'main',
      tag: 'v*',
      environment: 'production',
      events: ['push', 'release'],
      allowedPackageName: '@acme/gpkg',
    });
    const jobs = 'branch main, tag v\\*, environment production, workflow publish\\.yml, event push\\|release';
    assert.match(
      await run(['publishers', 'ls']),
      new RegExp(`^ID .+\\n${id} +gpkg +acme/import-gpkg +42 +${jobs} +package @acme/gpkg +never$`),
    );
    assert.equal(await run(['publishers', 'remove', id]), `Removed ${id}.`);
    assert.equal(await run(['publishers', 'ls']), 'No trusted publishers.');
    assert.equal(
      (await berth(['publishers', 'add', 'gpkg', '--provider', 'jenkins', '--repository', 'a/b'], { env })).status,
      2,
    );
    assert.equal((await berth(['publishers', 'add', 'gpkg', '--provider', 'gitlab'], { env })).status, 2);
  });

  test('a trusted publisher needs a branch, a tag, an environment or --any-ref', async () => {
    const add = ['publishers', 'add', 'gpkg', '--provider', 'gitlab', '--repository', 'acme/gpkg'];
    const { status, stderr } = await berth(add, { env });
    assert.equal(status, 2);
    assert.match(stderr, /give --branch, --tag or --environment, or --any-ref to trust every branch/);
    const refused = await berth([...add, '--any-ref', '--tag', 'v*'], { env });
    assert.deepEqual(
      [refused.status, refused.stderr],
      [
        1,
        'berth publishers: The trusted publisher cannot be created from these fields: see errors. ' +
          'anyRef contradicts branch and tag: leave it out, or both of them\n',
      ],
    );
    const { _id: id, ...created } = JSON.parse(await run([...add, '--any-ref', '--json'])) as { _id: string };
    assert.partialDeepStrictEqual(created, { anyRef: true });
    const open = await berth([...add, '--tag', 'v*', '--prefix', '@acme/foo'], { env });
    assert.match(open.stderr, /^berth publishers: The prefix @acme\/foo also covers longer names .+\n$/);
    await run(['publishers', 'remove', /^Added (.+)\.\n$/.exec(open.stdout)?.[1] ?? '']);
    assert.match(await run(['publishers', 'ls']), /gpkg +acme\/gpkg +- +any branch and tag +any upload +never$/);
    // As an older version created it.
    const database = new DatabaseSync(join(scratch, 'data/berth.db'));
    database.exec('update trusted_publishers set any_ref = 0');
    database.close();
    assert.match(
      await run(['publishers', 'ls']),
      /gpkg +acme\/gpkg +- +loose +.+\n\nloose: whoever can push any branch/,
    );
    await run(['publishers', 'remove', id]);
  });

  test('create, list and revoke access grants', async () => {
    const id = await run(['grants', 'create', 'organization:globex/geo']);
    assert.match(
      await run(['grants', 'ls']),
      new RegExp(`(^|\\n)${id} +organization:globex/geo +- +\\d{4}-\\d\\d-\\d\\d`),
    );
    const readKey = await run(['keys', 'create', 'reader', '--owner', 'organization:globex/geo']);
    assert.equal(await statusOf(readKey), 200);
    assert.equal(await run(['grants', 'revoke', id]), `Revoked ${id}.`);
    assert.equal((await berth(['grants', 'create', 'globex'], { env })).status, 2);
  });
});

describe('berth login', () => {
  test('saves registry and key for other commands, readable by this user only', async () => {
    const { status, stdout, stderr } = await berth(['login', `${url}/`], { input: `${key}\n` });
    assert.deepEqual([status, stdout, stderr], [0, `Logged in to ${url} with an upload key.\n`, '']);
    const file = join(scratch, 'home/.config/berth/config.json');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { url, apiKey: key });
    assert.equal((await berth(['ls', '--json'])).status, 0);
    const elsewhere = await berth(['ls', '--url', 'http://127.0.0.1:1']);
    assert.equal(elsewhere.status, 1);
    assert.ok(!elsewhere.stderr.includes(key));
  });

  test('saves nothing that the registry refuses', async () => {
    const file = join(scratch, 'home/.config/berth/config.json');
    const previous = readFileSync(file, 'utf8');
    const refused = await berth(['login', url], { input: `reg_00000000_${'0'.repeat(64)}` });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^berth login: This API key is unknown, revoked or expired.+\n$/);
    assert.match(
      (await berth(['login', 'http://127.0.0.1:1'])).stderr,
      /^berth login: the registry at http:\/\/127\.0\.0\.1:1 cannot be reached: .+\n$/,
    );
    assert.match((await berth(['login', 'nowhere'])).stderr, /^berth login: nowhere is not the address of a registry/);
    assert.equal(readFileSync(file, 'utf8'), previous);
  });
});
