import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gitlabJob, startJob } from '../support/pipeline.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { describeWithProvider, ID } from './publisher-fixture.ts';

const PROGRAM = join(import.meta.dirname, '../../../cli/bin/berth.js');

describeWithProvider('the command in a pipeline job', (fixture) => {
  const { trust } = fixture;

  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-job-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  function run(
    args: string[],
    env: Record<string, string>,
  ): Promise<{ status: number; stdout: string; stderr: string }> {
    const childEnv = {
      PATH: process.env['PATH'],
      HOME: folder,
      XDG_CONFIG_HOME: folder,
      BERTH_URL: fixture.audience,
      ...env,
    };
    return new Promise((done) =>
      execFile(process.execPath, [PROGRAM, ...args], { env: childEnv, cwd: folder }, (error, stdout, stderr) =>
        done({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
      ),
    );
  }

  test('publishes on GitHub without a key', async () => {
    await trust();
    const githubJobRun = await startJob(fixture.provider);
    try {
      await writeFile(join(folder, 'plugin.tgz'), await npmTarball({ name: '@acme/import-gpkg', version: '1.2.0' }));
      const { status, stdout, stderr } = await run(['publish', 'plugin.tgz', '--json'], githubJobRun.env);
      assert.equal(status, 0, stderr);
      assert.partialDeepStrictEqual(JSON.parse(stdout), { id: ID, isPublished: true });
      const refused = await run(['publish', 'plugin.tgz'], {
        ...githubJobRun.env,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of another',
      });
      assert.equal(refused.status, 1);
      assert.match(refused.stderr, /^berth publish: the pipeline issued no identity token: .*id-token: write/m);
    } finally {
      await githubJobRun.stop();
    }
  });

  test('prints what the token of a refused job says, and what the nearest publisher expects', async () => {
    await trust({ environment: 'staging' });
    const githubJobRun = await startJob(fixture.provider);
    try {
      await writeFile(join(folder, 'plugin.tgz'), await npmTarball({ name: '@acme/import-gpkg', version: '1.2.0' }));
      const { status, stderr } = await run(['publish', 'plugin.tgz'], githubJobRun.env);
      assert.notEqual(status, 0);
      assert.match(
        stderr,
        /Its token says: repository acme\/import-gpkg, .+, environment production\. .+ expects: environment staging\./,
      );
    } finally {
      await githubJobRun.stop();
    }
  });

  test('exchanges the GitLab token for a key and uploads a file with it', async () => {
    await trust({
      provider: 'gitlab',
      repository: 'acme/geo/import-gpkg',
      workflow: undefined,
      branch: 'main',
      environment: undefined,
      allowedNamePrefix: '@acme/',
      allowedPackageName: undefined,
    });
    const token = await run(['token'], {
      BERTH_ID_TOKEN: await fixture.provider.sign(gitlabJob(fixture.provider, fixture.audience)),
    });
    assert.match(token.stdout, /^reg_[^_]{8}_[0-9a-f]{64}\n$/, token.stderr);
    await writeFile(join(folder, 'map.pmtiles'), 'a map');
    const uploaded = await run(['upload', 'map.pmtiles', '--id', '@acme/map'], {
      BERTH_API_KEY: token.stdout.trim(),
    });
    assert.equal(uploaded.status, 0, uploaded.stderr);
    const refused = await run(['upload', 'map.pmtiles', '--id', '@acme/map'], {
      BERTH_ID_TOKEN: await fixture.provider.sign(gitlabJob(fixture.provider, 'https://other.example.org')),
    });
    assert.match(refused.stderr, /berth upload: This identity token has another audience: .*audience http:\/\/127/);
    assert.equal((await run(['token'], {})).status, 1);
  });
});
