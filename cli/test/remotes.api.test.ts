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
  async function done(words: string[], input = ''): Promise<string> {
    const { status, stdout, stderr } = await remotes(words, input);
    assert.deepEqual([status, stderr], [0, ''], words.join(' '));
    return stdout.trimEnd();
  }
  async function json<T>(words: string[], input = ''): Promise<T> {
    return JSON.parse(await done([...words, '--json'], input)) as T;
  }
  const inOrder = <T extends { artefactId: string }>(results: T[]) =>
    results.toSorted((a, b) => a.artefactId.localeCompare(b.artefactId));

  test('need a session, a key and a registry', async () => {
    assert.match(
      (await staging.berth(['remotes', 'ls', '--url', staging.url])).stderr,
      /^berth remotes: this needs a session: .+\n$/,
    );
    assert.equal(await done(['ls']), 'No registry is mirrored.');
    assert.deepEqual(await remotes(['show', 'staging']), {
      status: 1,
      stdout: '',
      stderr: 'berth remotes: there are no remote registries: berth remotes add brings one in\n',
    });
    assert.deepEqual(await remotes(['add', staging.url, '--name', 'staging']), {
      status: 1,
      stdout: '',
      stderr: 'berth remotes: give a read key of the remote registry in BERTH_REMOTE_KEY or on the standard input\n',
    });
    assert.equal((await remotes(['add', staging.url], readKey)).status, 2);
    assert.match(
      (await remotes(['add', production.url, '--name', 'self', '--schedule', 'at noon'], readKey)).stderr,
      /^berth remotes: .+\n$/,
    );
  });

  test('bring a registry in, and show what it has', async () => {
    assert.equal(
      await done(['add', `${staging.url}/`, '--name', 'staging', '--schedule', 'never'], `${readKey}\n`),
      `staging is ${staging.url}. Choose what to mirror with berth remotes select.`,
    );
    assert.match(
      await done(['ls']),
      new RegExp(`^NAME +ADDRESS +ARTEFACTS +STATE +LAST +NEXT\\nstaging +${staging.url} +0 +new +- +-$`),
    );
    const table = await done(['artefacts', 'staging']);
    for (const id of ['@acme/alps', '@acme/lakes', 'rivers'])
      assert.match(table, new RegExp(`\\n${id} +- +tileset +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +-`));
    assert.match(await done(['artefacts', 'staging', 'rivers']), /^ID .+\nrivers .+-$/);
    assert.equal(await done(['artefacts', 'staging', '--category', 'maplibre-style']), 'Nothing is found.');
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
      await done(['set', 'upstream', '--name', 'staging']),
      /^name +staging\naddress .+\nkey +reg_.{8}…\nschedule +30 3 \* \* \* \(next at \d{4}-/,
    );
    assert.deepEqual(await remotes(['show', 'else']), {
      status: 1,
      stdout: '',
      stderr: `berth remotes: there is no remote registry else: there are staging (${staging.url})\n`,
    });
    assert.equal((await remotes(['set', 'staging'])).status, 2);
  });

  test('select, synchronise and tell what came of it', async () => {
    assert.equal(await done(['select', 'staging', '@acme/*', 'rivers']), 'Of staging is selected: @acme/* rivers');
    const { results } = await json<{ results: Result[] }>(['sync', 'staging']);
    assert.deepEqual(
      inOrder(results).map(({ artefactId }) => artefactId),
      ['@acme/alps', '@acme/lakes', 'rivers'],
    );
    assert.ok(results.every(({ status }) => status === 'updated' || status === 'unchanged'));
    assert.match(await done(['artefacts', 'staging', 'rivers']), /as it is there$/);

    await publish('@acme/lakes', 200_000);
    assert.match(
      await done(['sync', 'staging']),
      /^ARTEFACT +STATUS +AT +FETCHED +REASON\n@acme\/lakes +updated +\S+ \S+ +200\.0 kB +-\n\nstaging: 1 artefact updated \(200\.0 kB\), 2 unchanged, 0 failed\.$/,
    );
    assert.match(
      await done(['sync', 'staging', '--verify']),
      /^staging: 0 artefacts updated \(0 B\), 3 unchanged, 0 failed\.$/,
    );
    assert.match(
      await done(['show', 'staging']),
      /^name +staging\n(.+\n)*state +success, 3 artefacts, last at .+\n\nARTEFACT .+\n@acme\/alps +unchanged /,
    );
    assert.match(await done(['sync', 'staging', '--detach']), /^staging is being synchronised; /);
    await done(['sync', 'staging']);
  });

  test('exit 1 and say why, when the other side refuses', async () => {
    await done(['set', 'staging', '--key'], 'reg_12345678_wrong');
    const { status, stdout, stderr } = await remotes(['sync', 'staging']);
    assert.equal(status, 1);
    assert.match(stderr, /^berth remotes sync: .+\n$/);
    assert.match(stdout, /staging: 0 artefacts updated/);
    assert.match((await remotes(['artefacts', 'staging'])).stderr, /^berth remotes: .+\n$/);
    await done(['set', 'staging', '--key'], readKey);
    await done(['sync', 'staging']);
  });

  test('let go of what is no longer wanted, which stays', async () => {
    assert.equal(await done(['unselect', 'staging', '@acme/*']), 'Of staging is selected: rivers');
    assert.match(
      (await remotes(['unselect', 'staging', '@acme/*'])).stderr,
      /^berth remotes: @acme\/\* is not selected: .+\n$/,
    );
    assert.equal(
      await done(['remove', 'staging']),
      `${staging.url} is mirrored no more; its artefacts are this registry's own now.`,
    );
    assert.equal(await done(['ls']), 'No registry is mirrored.');
    const listed = await fetch(`${production.url}/api/v1/artefacts`, { headers: production.session });
    const { results } = (await listed.json()) as { results: { _id: string; origin?: string }[] };
    assert.deepEqual(results.map(({ _id, origin }) => [_id, origin]).sort(), [
      ['@acme/alps', undefined],
      ['@acme/lakes', undefined],
      ['rivers', undefined],
    ]);
  });
});
