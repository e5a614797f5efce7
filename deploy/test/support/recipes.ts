// Runs the scripts of deploy/ci and of the GitHub action as they are in their files, with the environment of a runner.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { repositoryRoot } from '../../../scripts/runtime.ts';

export interface Action {
  inputs: Record<string, { default?: string; required?: boolean }>;
  runs: { steps: { id: string; shell: string; env: Record<string, string>; run: string }[] };
}
interface Pipeline {
  '.berth-publish': { script: string[] };
  [job: string]: unknown;
}

const ACTION = join(repositoryRoot, '.github/actions/publish-plugin');
const run = promisify(execFile);

/** Reads a YAML file of the repository. */
export const readYaml = async <T>(path: string) => parse(await readFile(join(repositoryRoot, path), 'utf8')) as T;

/**
 * @param folder where `plugin` is, the default working directory
 * @param environment of each job, without that of the recipe
 */
export function createRecipes(folder: string, environment: Record<string, string>) {
  /** Runs the action's step as GitHub's runner does: fills in expressions, and reads outputs from a file. */
  async function runAction(
    inputs: Record<string, string>,
    env: Record<string, string>,
    cwd = join(folder, 'plugin'),
  ): Promise<Record<string, string>> {
    const {
      inputs: declared,
      runs: { steps },
    } = await readYaml<Action>('.github/actions/publish-plugin/action.yml');
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
      cwd,
      env: {
        ...environment,
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

  /** Runs the script of the GitLab jobs, after the commands of a `before_script`. */
  async function runPipeline(
    env: Record<string, string>,
    cwd = join(folder, 'plugin'),
    before: string[] = [],
  ): Promise<void> {
    const {
      '.berth-publish': { script },
    } = await readYaml<Pipeline>('deploy/ci/gitlab.yml');
    await run('bash', ['-e', '-c', [...before, ...script].join('\n')], {
      cwd,
      env: { ...environment, ...env },
    });
  }

  return { runAction, runPipeline };
}
