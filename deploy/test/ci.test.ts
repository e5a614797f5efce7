// Runs the scripts of deploy/ci and of the GitHub action as they are in their files, with the environment of a runner.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, matchesGlob } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { freePort } from '../../api/test/support/free-port.ts';
import { startTestProvider, type TestProvider } from '../../api/test/support/openid-provider.ts';
import { gitlabJob, startJob } from '../../api/test/support/pipeline.ts';
import { startTestServer, type TestServer } from '../../api/test/support/test-server.ts';
import { npmInstall, writeFiles } from '../../cli/test/packages.ts';
import { INTERNAL_SECRET, startTestRegistry, type TestRegistry } from '../../cli/test/test-registry.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { createRecipes, readYaml, type Action } from './support/recipes.ts';

interface Workflow {
  on: { push: { tags: string[]; branches: string[] } };
  jobs: Record<string, { if: string; environment: string; steps: { uses: string; with: Record<string, string> }[] }>;
}
const run = promisify(execFile);

describe('recipes for pipelines', () => {
  let registry: TestRegistry;
  let key: string;
  let folder: string;
  let { runAction, runPipeline } = {} as ReturnType<typeof createRecipes>;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-ci-'));
    registry = await startTestRegistry();
    key = await registry.uploadKey();
    const environment = Object.entries(registry.environment).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    );
    ({ runAction, runPipeline } = createRecipes(folder, Object.fromEntries(environment)));
    await cp(join(repositoryRoot, 'node_modules/@data-fair/processing-hello-world'), join(folder, 'plugin'), {
      recursive: true,
    });
    const manifest = JSON.parse(await readFile(join(folder, 'plugin/package.json'), 'utf8')) as {
      devDependencies?: unknown;
      scripts?: unknown;
    };
    await writeFile(
      join(folder, 'plugin/package.json'),
      JSON.stringify({ ...manifest, devDependencies: undefined, scripts: undefined }),
    );
    await run('npm', ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: join(folder, 'plugin'),
    });
  });
  after(async () => {
    await registry.stop();
    await rm(folder, { recursive: true });
  });

  const document = async (id: string) =>
    (await (
      await fetch(`${registry.url}/api/v1/artefacts/${encodeURIComponent(id)}`, {
        headers: { 'x-secret-key': INTERNAL_SECRET },
      })
    ).json()) as { version?: string; tarballs?: Record<string, { digest: string }> };
  test('the action publishes a tag and a branch with bundled dependencies, and sets its outputs', async () => {
    const inputs = { 'url': `${registry.url}/`, 'api-key': key };
    const tag = await runAction(inputs, { GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v0.13.0' });
    assert.equal(tag['id'], '@data-fair/processing-hello-world@0');
    assert.equal(tag['digest'], (await document('@data-fair/processing-hello-world@0')).tarballs?.['noarch']?.digest);
    const branch = await runAction(
      { ...inputs, bundle: 'false', architecture: 'x64', category: 'processing' },
      { GITHUB_REF_TYPE: 'branch', GITHUB_REF_NAME: 'main' },
    );
    assert.equal(branch['id'], '@data-fair/processing-hello-world@main');
    assert.deepEqual(Object.keys((await document('@data-fair/processing-hello-world@main')).tarballs ?? {}), ['x64']);
  });

  test('the action fails with the reason, and does not log the key', async () => {
    const inputs = { 'url': registry.url, 'api-key': key };
    await assert.rejects(
      runAction(inputs, { GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v9.9.9' }),
      (error: { stderr: string; stdout: string }) => {
        assert.match(error.stderr, /tag v9\.9\.9 does not match version 0\.13\.0 in package\.json/);
        assert.ok(!`${error.stdout}${error.stderr}`.includes(key));
        return true;
      },
    );
    await assert.rejects(
      runAction({ ...inputs, 'api-key': 'reg_wrong_key' }, { GITHUB_REF_TYPE: 'branch', GITHUB_REF_NAME: 'main' }),
      (error: { stderr: string }) => /key/.test(error.stderr),
    );
  });

  test("both install the command that is given, and fail with npm's reason if it does not exist", async () => {
    const { results } = (await (await fetch(`${registry.url}/clients`)).json()) as { results: { version: string }[] };
    const pinned = `${registry.url}/clients/${results[0]?.version}/cli.tgz`;
    const missing = `${registry.url}/clients/0.0.1/cli.tgz`;
    const env = { BERTH_URL: registry.url, BERTH_API_KEY: key, BERTH_PUBLISH_OPTIONS: '--id pinned@1' };
    const inputs = { 'url': registry.url, 'api-key': key, 'bundle': 'false' };
    assert.equal((await runAction({ ...inputs, id: 'pinned@0', cli: pinned }, {}))['id'], 'pinned@0');
    await runPipeline({ ...env, BERTH_CLI: pinned });
    assert.equal((await document('pinned@1')).version, '0.13.0');
    const hasReason = ({ stderr }: { stderr: string }) => stderr.includes('404') && stderr.includes(missing);
    await assert.rejects(runAction({ ...inputs, cli: missing }, {}), hasReason);
    await assert.rejects(runPipeline({ ...env, BERTH_CLI: missing }), hasReason);
  });

  test('neither passes the key or a token to npm', async () => {
    const bin = join(folder, 'bin');
    const npmEnvironment = join(folder, 'npm-environment');
    await mkdir(bin);
    const path = process.env['PATH'] ?? '';
    const record = `#!/bin/sh\nenv >> '${npmEnvironment}'\nexport PATH='${path}'\nexec npm "$@"\n`;
    await writeFile(join(bin, 'npm'), record, { mode: 0o755 });
    const env = { PATH: `${bin}:${path}` };
    await runAction(
      { 'url': registry.url, 'api-key': key, 'bundle': 'false', 'id': 'secret@0' },
      {
        ...env,
        ACTIONS_ID_TOKEN_REQUEST_URL: 'https://token.example.org',
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-github',
      },
    );
    await runPipeline({
      ...env,
      BERTH_URL: registry.url,
      BERTH_API_KEY: key,
      BERTH_ID_TOKEN: 'of-gitlab',
      BERTH_PUBLISH_OPTIONS: '--id secret@1',
    });
    const lines = (await readFile(npmEnvironment, 'utf8')).split('\n');
    // Each recipe runs npm twice: to install the command, and to pack the plug-in.
    assert.equal(lines.filter((line) => line.startsWith('PATH=')).length, 4);
    for (const secret of [key, 'of-github', 'token.example.org', 'of-gitlab']) {
      assert.deepEqual(
        lines.filter((line) => line.includes(secret)),
        [],
      );
    }
  });

  test('the GitLab jobs publish a tag and a branch', async () => {
    const env = { BERTH_URL: `${registry.url}/`, BERTH_API_KEY: key };
    await runPipeline({ ...env, CI_COMMIT_TAG: 'v0.13.0', BERTH_PUBLISH_OPTIONS: '--bundle --id gitlab@0' });
    await runPipeline({ ...env, CI_COMMIT_BRANCH: 'develop', BERTH_PUBLISH_OPTIONS: '' });
    assert.equal((await document('gitlab@0')).version, '0.13.0');
    assert.equal((await document('@data-fair/processing-hello-world@develop')).version, '0.13.0');
  });

  test('both publish the build output of an application, one artefact for each minor version', async () => {
    const project = join(folder, 'application');
    await mkdir(join(project, 'dist'), { recursive: true });
    const manifest = { name: 'map', version: '2.4.1', registry: { category: 'application' } };
    await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
    await writeFile(join(project, 'dist/index.html'), '<!doctype html>');
    const inputs = { 'url': registry.url, 'api-key': key, 'root': 'dist' };
    const github = { GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v2.4.1' };
    assert.equal((await runAction(inputs, github, project))['id'], 'map@2.4');
    assert.equal((await runAction({ ...inputs, line: 'major' }, github, project))['id'], 'map@2');
    const env = { BERTH_URL: registry.url, BERTH_API_KEY: key, BERTH_PUBLISH_ROOT: 'dist' };
    await runPipeline({ ...env, BERTH_PUBLISH_OPTIONS: '--ref v2.5.0 --id map@2.5' }, project);
    await runPipeline({ ...env, BERTH_PUBLISH_LINE: 'major', CI_COMMIT_BRANCH: 'next' }, project);
    for (const id of ['map@2.4', 'map@2', 'map@2.5', 'map@next']) {
      const path = `${registry.url}/api/v1/artefacts/${encodeURIComponent(id)}/files?path=index.html`;
      const response = await fetch(path, { headers: { 'x-secret-key': INTERNAL_SECRET } });
      assert.match(await response.text(), /"index\.html"/, id);
    }
  });

  test('both publish a package of a monorepo by its tag, with what the guide adds to them', async () => {
    const guide = await readFile(join(repositoryRoot, 'docs/guides/monorepos.md'), 'utf8');
    const [workflow, [step], gitlab] = [...guide.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = '']): unknown =>
      parse(text),
    ) as [
      Pick<Workflow, 'on'>,
      [{ with: Record<string, string> }],
      Record<string, { rules: { if: string }[]; before_script: string[] }>,
    ];
    const project = writeFiles(join(folder, 'monorepo'), {
      'package.json': { name: 'monorepo', private: true, workspaces: ['packages/*'] },
      'packages/plugin/package.json': { name: '@acme/plugin', version: '1.2.3', dependencies: { ms: '2.1.3' } },
    });
    await npmInstall(project);
    const tag = '@acme/plugin@1.2.3';
    assert.ok(matchesGlob(tag, workflow.on.push.tags[0] ?? ''));
    const inputs = { ...step.with, 'url': registry.url, 'api-key': key };
    const github = { GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: tag };
    assert.equal((await runAction(inputs, github, project))['id'], '@acme/plugin@1');

    const { rules, before_script: before } = gitlab['berth-production'] ?? { rules: [], before_script: [] };
    const [, pattern = ''] = /^\$CI_COMMIT_TAG =~ \/(.+)\/$/.exec(rules[0]?.if ?? '') ?? [];
    assert.match(tag, new RegExp(pattern));
    const env = { BERTH_URL: registry.url, BERTH_API_KEY: key, CI_COMMIT_TAG: tag };
    await runPipeline({ ...env, BERTH_PUBLISH_OPTIONS: '--bundle --flat' }, project, before);
    for (const id of ['@acme/plugin@1', '@acme-plugin-1']) assert.equal((await document(id)).version, '1.2.3', id);
  });

  test('both accept an address and a key that were pasted with blanks and line breaks', async () => {
    const pasted = { url: ` ${registry.url}/ \r\n`, key: `\n ${key}\t\n` };
    const inputs = { 'url': pasted.url, 'api-key': pasted.key, 'bundle': 'false', 'id': 'pasted@0' };
    assert.equal((await runAction(inputs, {}))['id'], 'pasted@0');
    const env = { BERTH_URL: pasted.url, BERTH_API_KEY: pasted.key };
    await runPipeline({ ...env, BERTH_PUBLISH_OPTIONS: '--id pasted@1' });
    assert.equal((await document('pasted@1')).version, '0.13.0');
  });

  describe('without a key, to a registry that trusts the job', () => {
    let trusting: TestServer;
    let provider: TestProvider;
    let address: string;
    before(async () => {
      const port = await freePort();
      address = `http://127.0.0.1:${port}`;
      [trusting, provider] = await Promise.all([
        startTestServer({ env: { PORT: `${port}`, PUBLIC_URL: address } }),
        startTestProvider(address),
      ]);
      for (const [of, repository, ref] of [
        ['github', 'acme/import-gpkg', { tag: 'v*' }],
        ['gitlab', 'acme/geo/import-gpkg', { branch: 'main' }],
      ] as const) {
        const made = await trusting.api('POST', '/trusted-publishers', {
          headers: await trusting.superadmin(),
          body: { name: of, provider: of, issuer: provider.issuer, repository, ...ref },
        });
        assert.equal(made.status, 201, await made.text());
      }
    });
    after(async () => {
      await trusting.close();
      await provider.stop();
    });
    const uploaderOf = async (id: string) =>
      (
        (await (
          await trusting.api('GET', `/artefacts/${encodeURIComponent(id)}`, { headers: trusting.internal })
        ).json()) as { uploadedBy?: { apiKeyName?: string } }
      ).uploadedBy?.apiKeyName;

    test('the action publishes', async () => {
      const job = await startJob(provider);
      try {
        const { id } = await runAction({ url: address }, { ...job.env, GITHUB_REF_NAME: 'v0.13.0' });
        assert.match((await uploaderOf(id ?? '')) ?? '', /^github · acme\/import-gpkg · /);
      } finally {
        await job.stop();
      }
    });

    test('the GitLab job publishes', async () => {
      const token = await provider.sign(gitlabJob(provider, address));
      const job = { CI_COMMIT_BRANCH: 'main', BERTH_PUBLISH_OPTIONS: '--id gitlab@main' };
      await runPipeline({ ...job, BERTH_URL: address, BERTH_ID_TOKEN: token });
      assert.match((await uploaderOf('gitlab@main')) ?? '', /^gitlab · acme\/geo\/import-gpkg · main · /);
    });
  });

  test('tags go to production and a branch to staging, each with its own environment', async () => {
    const { on, jobs } = await readYaml<Workflow>('deploy/ci/github.yml');
    assert.deepEqual([on.push.tags, on.push.branches], [['v*'], ['main']]);
    assert.deepEqual(
      Object.entries(jobs).map(([name, job]) => [name, job.if, job.environment]),
      [
        ['production', "github.ref_type == 'tag'", 'production'],
        ['staging', "github.ref_type == 'branch'", 'staging'],
      ],
    );
    const { inputs } = await readYaml<Action>('.github/actions/publish-plugin/action.yml');
    for (const { steps } of Object.values(jobs)) {
      const step = steps.find(({ uses }) => uses.includes('/.github/actions/publish-plugin@'));
      assert.ok(step);
      for (const name of Object.keys(step.with)) assert.ok(name in inputs, name);
    }
    const pipeline =
      await readYaml<Record<string, { environment?: string; rules?: { if: string }[] }>>('deploy/ci/gitlab.yml');
    assert.deepEqual(
      ['berth-production', 'berth-staging'].map((job) => [pipeline[job]?.environment, pipeline[job]?.rules?.[0]?.if]),
      [
        ['production', '$CI_COMMIT_TAG =~ /^v/'],
        ['staging', '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'],
      ],
    );
  });
});
