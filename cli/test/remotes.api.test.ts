import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ADMIN, startTestRegistry, type TestRegistry } from './test-registry.ts';

interface Result {
  artefactId: string;
  status: string;
  bytes?: number;
}

describe('berth remotes', () => {
  let staging: TestRegistry;
  let production: TestRegistry;
  let readKey: string;
  let uploadKey: string;
  before(async () => {
    [staging, production] = await Promise.all([startTestRegistry(), startTestRegistry()]);
    [readKey, uploadKey] = await Promise.all([staging.readKey(), staging.uploadKey()]);
    for (const id of ['@acme/alps', '@acme/lakes', 'rivers']) await publish(id);
    const { status } = await production.berth(['login', production.url, '--email', ADMIN.email], {
      input: ADMIN.password,
    });
    assert.equal(status, 0);
  });
  after(() => Promise.all([staging.stop(), production.stop()]));

  async function publish(id: string, bytes = 100_000): Promise<void> {
    const file = join(staging.scratch, 'tiles');
    writeFileSync(file, randomBytes(bytes));
    const { status, stderr } = await staging.berth(['upload', file, '--id', id, '--category', 'tileset'], {
      env: { BERTH_URL: staging.url, BERTH_API_KEY: uploadKey },
    });
    assert.equal(status, 0, stderr);
    await staging.show(id);
  }
  const remotes = (words: string[], input = '') => production.berth(['remotes', ...words], { input });
  async function run(words: string[], input = ''): Promise<string> {
    const { status, stdout, stderr } = await remotes(words, input);
    assert.deepEqual([status, stderr], [0, ''], words.join(' '));
    return stdout.trimEnd();
  }
  async function json<T>(words: string[], input = ''): Promise<T> {
    return JSON.parse(await run([...words, '--json'], input)) as T;
  }
  const sortById = <T extends { artefactId: string }>(results: T[]) =>
    results.toSorted((a, b) => a.artefactId.localeCompare(b.artefactId));

  test('require a session, a key and a known remote registry', async () => {
    assert.match(
      (await staging.berth(['remotes', 'ls', '--url', staging.url])).stderr,
      /^berth remotes: this command requires a session: .+\n$/,
    );
    assert.equal(await run(['ls']), 'No remote registries.');
    assert.deepEqual(await remotes(['show', 'staging']), {
      status: 1,
      stdout: '',
      stderr: 'berth remotes: there are no remote registries: add one with berth remotes add\n',
    });
    assert.deepEqual(await remotes(['add', staging.url, '--name', 'staging']), {
      status: 1,
      stdout: '',
      stderr: 'berth remotes: missing read key: set BERTH_REMOTE_KEY or pipe it to standard input\n',
    });
    assert.equal((await remotes(['add', staging.url], readKey)).status, 2);
    assert.match(
      (await remotes(['add', production.url, '--name', 'self', '--schedule', 'at noon'], readKey)).stderr,
      /^berth remotes: .+\n$/,
    );
  });

  test('add a remote registry, change it, and list its artefacts', async () => {
    assert.equal(
      await run(['add', `${staging.url}/`, '--name', 'staging', '--schedule', 'never'], `${readKey}\n`),
      `Added staging (${staging.url}). Select artefacts with berth remotes select staging.`,
    );
    assert.match(
      await run(['ls']),
      new RegExp(`^NAME +ADDRESS +ARTEFACTS +STATE +LAST SYNC +NEXT SYNC\\nstaging +${staging.url} +0 +new +- +-$`),
    );
    const table = await run(['artefacts', 'staging']);
    for (const id of ['@acme/alps', '@acme/lakes', 'rivers'])
      assert.match(table, new RegExp(`\\n${id} +- +tileset +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +-`));
    assert.match(await run(['artefacts', 'staging', 'rivers']), /^ID .+\nrivers .+-$/);
    assert.equal(await run(['artefacts', 'staging', '--category', 'maplibre-style']), 'No artefacts found.');
    const { schedule, name } = await json<{ schedule: string; name: string }>([
      'set',
      staging.url,
      '--schedule',
      '30 3 * * *',
      '--name',
      'upstream',
    ]);
    assert.deepEqual([schedule, name], ['30 3 * * *', 'upstream']);
    assert.match(
      await run(['set', 'upstream', '--name', 'staging']),
      /^name +staging\naddress .+\nkey +reg_.{8}…\nschedule +30 3 \* \* \* \(next at \d{4}-/,
    );
    assert.deepEqual(await remotes(['show', 'else']), {
      status: 1,
      stdout: '',
      stderr: `berth remotes: unknown remote registry else: expected one of staging (${staging.url})\n`,
    });
    assert.equal((await remotes(['set', 'staging'])).status, 2);
  });

  test('select, synchronise and show the results', async () => {
    assert.equal(await run(['select', 'staging', '@acme/*', 'rivers']), 'Selected from staging: @acme/* rivers');
    const { results } = await json<{ results: Result[] }>(['sync', 'staging']);
    assert.deepEqual(
      sortById(results).map(({ artefactId }) => artefactId),
      ['@acme/alps', '@acme/lakes', 'rivers'],
    );
    assert.ok(results.every(({ status }) => status === 'updated' || status === 'unchanged'));
    assert.match(await run(['artefacts', 'staging', 'rivers']), /up to date$/);

    await publish('@acme/lakes', 200_000);
    const [header, row, ...summary] = (await run(['sync', 'staging'])).split('\n');
    assert.match(header ?? '', /^ARTEFACT +STATUS +AT +FETCHED +REASON$/);
    assert.match(row ?? '', /^@acme\/lakes +updated +\S+ \S+ +200\.0 kB +-$/);
    assert.deepEqual(summary, ['', 'staging: 1 artefact updated (200.0 kB), 2 unchanged, 0 failed.']);
    assert.match(
      await run(['sync', 'staging', '--verify']),
      /^staging: 0 artefacts updated \(0 B\), 3 unchanged, 0 failed\.$/,
    );
    assert.match(
      await run(['show', 'staging']),
      /^name +staging\n(.+\n)*state +success, 3 artefacts, last at .+\n\nARTEFACT .+\n@acme\/alps +unchanged /,
    );
    assert.match(await run(['sync', 'staging', '--detach']), /^Synchronising staging in the background; /);
    await run(['sync', 'staging']);
  });

  test('exit with status 1 and the reason if the remote registry refuses', async () => {
    await run(['set', 'staging', '--key'], 'reg_12345678_wrong');
    const { status, stdout, stderr } = await remotes(['sync', 'staging']);
    assert.equal(status, 1);
    assert.match(stderr, /^berth remotes sync: .+\n$/);
    assert.match(stdout, /staging: 0 artefacts updated/);
    assert.match((await remotes(['artefacts', 'staging'])).stderr, /^berth remotes: .+\n$/);
    await run(['set', 'staging', '--key'], readKey);
    await run(['sync', 'staging']);
  });

  test('unselect artefacts and remove the remote registry; the mirrors stay', async () => {
    assert.equal(await run(['unselect', 'staging', '@acme/*']), 'Selected from staging: rivers');
    assert.match(
      (await remotes(['unselect', 'staging', '@acme/*'])).stderr,
      /^berth remotes: @acme\/\* is not selected: .+\n$/,
    );
    assert.equal(
      await run(['remove', 'staging']),
      `Removed ${staging.url}. Its mirrors are artefacts of this registry now.`,
    );
    assert.equal(await run(['ls']), 'No remote registries.');
    const listed = await fetch(`${production.url}/api/v1/artefacts`, { headers: production.session });
    const { results } = (await listed.json()) as { results: { _id: string; origin?: string }[] };
    assert.deepEqual(results.map(({ _id, origin }) => [_id, origin]).sort(), [
      ['@acme/alps', undefined],
      ['@acme/lakes', undefined],
      ['rivers', undefined],
    ]);
  });
});
