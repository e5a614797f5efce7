// `berth publishers`: pipelines that publish without a key, for superadmins.

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
  summary: 'trust a pipeline',
  usage:
    'publishers add NAME --provider github|gitlab --repository PATH [--workflow FILE] [--environment NAME] ' +
    '[--repository-id ID] [--issuer URL] [--artefact ID] [--prefix PREFIX] [--package NAME] [--category ' +
    'CATEGORY] [--url URL] [--json]',
  description:
    'Lets the jobs of a repository publish without a key, within the scopes that are ' + `given.\n\n${ABOUT_SESSION}`,
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
    'repository': 'owner/name, or the path of the project',
    'repository-id': 'its number, which nobody else gets',
    'issuer': 'who signs tokens; default that of github.com or gitlab.com',
    'workflow': 'the one file, such as publish.yml or .gitlab-ci.yml',
    'environment': 'the one environment of jobs',
    ...SCOPE_TEXTS,
    ...ADMIN_TEXTS,
  },
  examples: {
    'berth publishers add gpkg --provider github --repository acme/import-gpkg --environment production --package @acme/import-gpkg':
      'tags of a plug-in',
  },
  parameters: ['NAME'],
  async run(
    { provider, repository, 'repository-id': repositoryId, issuer, workflow, environment, json, url, ...values },
    name,
  ) {
    if (provider !== 'github' && provider !== 'gitlab') throw new UsageError('--provider takes github or gitlab');
    if (repository === undefined) throw new UsageError('name the repository with --repository');
    const made = await openAdminApi({ url }).ask<Publisher>('POST', '/trusted-publishers', {
      name,
      provider,
      repository,
      repositoryId,
      issuer,
      workflow,
      environment,
      ...scopeFields(values),
    });
    print(json ? JSON.stringify(made) : `${made._id} may publish.`);
  },
});

const list = defineCommand({
  summary: 'list trusted pipelines',
  usage: 'publishers ls [--url URL] [--json]',
  description: `Lists trusted publishers, the newest first.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth publishers ls': 'who publishes without a key' },
  async run(values) {
    const { results } = await openAdminApi(values).ask<{ results: Publisher[] }>('GET', '/trusted-publishers');
    if (values.json) return print(JSON.stringify(results));
    print(
      results.length === 0
        ? 'No pipeline is trusted.'
        : formatTable([['ID', 'NAME', 'REPOSITORY', 'WORKFLOW', 'ENVIRONMENT', 'MAY', 'USED'], ...results.map(rowOf)]),
    );
  },
});

const remove = defineCommand({
  summary: 'trust a pipeline no more',
  usage: 'publishers remove ID [--url URL] [--json]',
  description:
    'Removes the trusted publisher with this id, and ends the keys that it got, at ' + `once.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth publishers remove 6f2b8c1e-…': 'an id that berth publishers ls shows' },
  parameters: ['ID'],
  async run(values, id = '') {
    await openAdminApi(values).ask('DELETE', `/trusted-publishers/${encodeURIComponent(id)}`);
    print(values.json ? JSON.stringify({ id }) : `${id} may publish no more.`);
  },
});

export const publishers = defineGroup('publishers', 'trust pipelines to publish without a key', {
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
