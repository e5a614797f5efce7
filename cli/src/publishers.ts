// `berth publishers`: manages pipelines that publish without a stored key, for superadmins.

import { openAdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS } from './client.ts';
import { defineCommand, defineGroup, UsageError } from './command.ts';
import { print } from './interruptible.ts';
import { formatScopes, SCOPE_OPTIONS, SCOPE_TEXTS, scopeFields } from './scopes.ts';
import { formatTable } from './table.ts';

interface Publisher {
  _id: string;
  name: string;
  provider: string;
  issuer: string;
  repository: string;
  workflow?: string;
  environment?: string;
  lastUsedAt?: string;
  [scope: string]: unknown;
}

const add = defineCommand({
  summary: 'add a trusted publisher',
  usage:
    'publishers add NAME --provider github|gitlab --repository PATH [--workflow FILE] [--environment NAME] ' +
    '[--repository-id ID] [--issuer URL] [--artefact ID] [--prefix PREFIX] [--package NAME] [--category ' +
    'CATEGORY] [--url URL] [--json]',
  description: `Lets the pipeline jobs of a repository publish without a stored key, within the given scopes.

${ABOUT_SESSION}`,
  options: {
    ...ADMIN_OPTIONS,
    ...SCOPE_OPTIONS,
    'provider': { type: 'string' },
    'repository': { type: 'string' },
    'repository-id': { type: 'string' },
    'issuer': { type: 'string' },
    'workflow': { type: 'string' },
    'environment': { type: 'string' },
  },
  optionTexts: {
    'provider': 'github or gitlab',
    'repository': 'owner/name on GitHub, path of the project on GitLab',
    'repository-id': 'number of the repository, which is never reused',
    'issuer': 'issuer of the tokens; default: github.com or gitlab.com',
    'workflow': 'only jobs of this file, such as publish.yml or .gitlab-ci.yml',
    'environment': 'only jobs in this environment',
    ...SCOPE_TEXTS,
    ...ADMIN_TEXTS,
  },
  examples: {
    ['berth publishers add gpkg --provider github --repository acme/import-gpkg ' +
    '--environment production --package @acme/import-gpkg']: 'let production jobs publish one package',
  },
  parameters: ['NAME'],
  async run(
    { provider, repository, 'repository-id': repositoryId, issuer, workflow, environment, json, url, ...values },
    name,
  ) {
    if (provider !== 'github' && provider !== 'gitlab') throw new UsageError('--provider must be github or gitlab');
    if (repository === undefined) throw new UsageError('missing option --repository');
    const publisher = await openAdminApi({ url }).request<Publisher>('POST', '/trusted-publishers', {
      name,
      provider,
      repository,
      repositoryId,
      issuer,
      workflow,
      environment,
      ...scopeFields(values),
    });
    print(json ? JSON.stringify(publisher) : `Added ${publisher._id}.`);
  },
});

const list = defineCommand({
  summary: 'list trusted publishers',
  usage: 'publishers ls [--url URL] [--json]',
  description: `Lists trusted publishers, newest first.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth publishers ls': 'pipelines that publish without a key' },
  async run(values) {
    const { results } = await openAdminApi(values).request<{ results: Publisher[] }>('GET', '/trusted-publishers');
    if (values.json) return print(JSON.stringify(results));
    print(
      results.length === 0
        ? 'No trusted publishers.'
        : formatTable([
            ['ID', 'NAME', 'REPOSITORY', 'WORKFLOW', 'ENVIRONMENT', 'SCOPE', 'LAST USED'],
            ...results.map(rowOf),
          ]),
    );
  },
});

const remove = defineCommand({
  summary: 'remove a trusted publisher',
  usage: 'publishers remove ID [--url URL] [--json]',
  description: `Removes the trusted publisher with this ID, and revokes the keys that it was given, immediately.

${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth publishers remove 6f2b8c1e-…': 'an ID that berth publishers ls shows' },
  parameters: ['ID'],
  async run(values, id = '') {
    await openAdminApi(values).request('DELETE', `/trusted-publishers/${encodeURIComponent(id)}`);
    print(values.json ? JSON.stringify({ id }) : `Removed ${id}.`);
  },
});

export const publishers = defineGroup('publishers', 'manage pipelines that publish without a key', {
  add,
  ls: list,
  remove,
});

function rowOf({ _id, name, repository, workflow, environment, lastUsedAt, ...publisher }: Publisher): string[] {
  return [
    _id,
    name,
    repository,
    workflow ?? 'any',
    environment ?? 'any',
    formatScopes(publisher),
    lastUsedAt?.slice(0, 16).replace('T', ' ') ?? 'never',
  ];
}
