// Runs the scripts of deploy/ci and of the GitHub action as they are in their files, with the environment of a runner.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { freePort } from '../../api/test/support/free-port.ts';
import { startTestProvider, type TestProvider } from '../../api/test/support/openid-provider.ts';
import { gitlabJob, startJob } from '../../api/test/support/pipeline.ts';
import { startTestServer, type TestServer } from '../../api/test/support/test-server.ts';
import { INTERNAL_SECRET, startTestRegistry, type TestRegistry } from '../../cli/test/test-registry.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';

interface Action {
  inputs: Record<string, { default?: string; required?: boolean }>;
  runs: { steps: { id: string; shell: string; env: Record<string, string>; run: string }[] };
}
interface Workflow {
  on: { push: { tags: string[]; branches: string[] } };
  jobs: Record<string, { if: string; environment: string; steps: { uses: string; with: Record<string, string> }[] }>;
}
interface Pipeline {
  'variables': Record<string, string>;
  '.berth-publish': { script: string[] };
  [job: string]: unknown;
}

const ACTION = join(repositoryRoot, '.github/actions/publish-plugin');
const run = promisify(execFile);
const read = async <T>(path: string) => parse(await readFile(join(repositoryRoot, path), 'utf8')) as T;

describe('recipes for pipelines', () => {
  let registry: TestRegistry;
  let key: string;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-ci-'));
    registry = await startTestRegistry();
    key = await registry.uploadKey();
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
  const environment = () => ({
    ...Object.fromEntries(
      Object.entries(registry.environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  });

  /** Runs the action's step as GitHub's runner does: fills in expressions, and reads outputs from a file. */
  async function runAction(
    inputs: Record<string, string>,
    env: Record<string, string>,
  ): Promise<Record<string, string>> {
    const {
      inputs: declared,
      runs: { steps },
    } = await read<Action>('.github/actions/publish-plugin/action.yml');
    const [step] = steps;
    assert.ok(step);
    const values = {
      ...Object.fromEntries(Object.entries(declared).map(([name, input]) => [name, input.default])),
      ...inputs,
    };
    for (const [name, input] of Object.entries(declared))
      if (input.required) assert.ok(values[name], `${name} is required`);
    const fill = (text: string) =>
      text
        .replace(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_all, name: string) => {
          assert.ok(name in values, `${name} is not an input`);
          return values[name as keyof typeof values] ?? '';
        })
        .replace('${{ github.action_path }}', ACTION);
    const output = join(folder, 'output');
    await writeFile(output, '');
    await run(step.shell, ['-e', '-c', fill(step.run)], {
      cwd: join(folder, 'plugin'),
      env: {
        ...environment(),
        ...env,
        GITHUB_OUTPUT: output,
        ...Object.fromEntries(Object.entries(step.env).map(([name, value]) => [name, fill(value)])),
      },
    });
    return Object.fromEntries(
      (await readFile(output, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  async function runPipeline(env: Record<string, string>): Promise<void> {
    const {
      variables,
      '.berth-publish': { script },
    } = await read<Pipeline>('deploy/ci/gitlab.yml');
    await run('bash', ['-e', '-c', script.join('\n')], {
      cwd: join(folder, 'plugin'),
      env: { ...environment(), ...variables, ...env },
    });
  }

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
    const { on, jobs } = await read<Workflow>('deploy/ci/github.yml');
    assert.deepEqual([on.push.tags, on.push.branches], [['v*'], ['main']]);
    assert.deepEqual(
      Object.entries(jobs).map(([name, job]) => [name, job.if, job.environment]),
      [
        ['production', "github.ref_type == 'tag'", 'production'],
        ['staging', "github.ref_type == 'branch'", 'staging'],
      ],
    );
    const { inputs } = await read<Action>('.github/actions/publish-plugin/action.yml');
    for (const { steps } of Object.values(jobs)) {
      const step = steps.find(({ uses }) => uses.includes('/.github/actions/publish-plugin@'));
      assert.ok(step);
      for (const name of Object.keys(step.with)) assert.ok(name in inputs, name);
    }
    const pipeline =
      await read<Record<string, { environment?: string; rules?: { if: string }[] }>>('deploy/ci/gitlab.yml');
    assert.deepEqual(
      ['berth-production', 'berth-staging'].map((job) => [pipeline[job]?.environment, pipeline[job]?.rules?.[0]?.if]),
      [
        ['production', '$CI_COMMIT_TAG =~ /^v/'],
        ['staging', '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'],
      ],
    );
  });
});
