// `berth publishers`: manages pipelines that publish without a stored key, for superadmins.

import { openAdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS } from './client.ts';
import { defineCommand, defineGroup, UsageError } from './command.ts';
import { print } from './terminal.ts';
import { formatScopes, printWarnings, SCOPE_OPTIONS, SCOPE_TEXTS, scopeFields } from './scopes.ts';
import { formatTable } from './table.ts';

interface Publisher {
  _id: string;
  name: string;
  provider: string;
  issuer: string;
  repository: string;
  repositoryId?: string;
  workflow?: string;
  branch?: string;
  tag?: string;
  anyRef?: boolean;
  environment?: string;
  events?: string[];
  loose?: boolean;
  warnings?: string[];
  lastUsedAt?: string;
  [scope: string]: unknown;
}

const ABOUT_LOOSE =
  '\nloose: whoever can push any branch of the repository can publish. Add such a publisher again, with --branch, ' +
  '--tag or\n--environment, and remove the old one.';

const add = defineCommand({
  summary: 'add a trusted publisher',
  usage:
    'publishers add NAME --provider github|gitlab --repository PATH [--branch NAME] [--tag NAME] ' +
    '[--environment NAME] [--any-ref] [--workflow FILE] [--event EVENT]… [--repository-id ID] [--issuer URL] ' +
    '[--artefact ID] [--prefix PREFIX] [--package NAME] [--category CATEGORY] [--url URL] [--json]',
  description: `Lets the pipeline jobs of a repository publish without a stored key, within the given scopes.

Name the branch, the tag or the environment that the jobs must have, and protect it on the platform: otherwise whoever
can push any branch can publish, which --any-ref permits. In names of branches and tags, * stands for any text without
a slash, ** for any text; with both, either matches. Jobs of pull requests and merge requests are refused unless
--event names theirs.

${ABOUT_SESSION}`,
  options: {
    ...ADMIN_OPTIONS,
    ...SCOPE_OPTIONS,
    'provider': { type: 'string' },
    'repository': { type: 'string' },
    'repository-id': { type: 'string' },
    'issuer': { type: 'string' },
    'workflow': { type: 'string' },
    'branch': { type: 'string' },
    'tag': { type: 'string' },
    'environment': { type: 'string' },
    'any-ref': { type: 'boolean' },
    'event': { type: 'string', multiple: true },
  },
  optionTexts: {
    'provider': 'github or gitlab',
    'repository': 'owner/name on GitHub, path of the project on GitLab',
    'repository-id': 'number of the repository, which is never reused; default: that of the first job',
    'issuer': 'issuer of the tokens; default: github.com or gitlab.com',
    'workflow': 'only jobs of this file, such as publish.yml or .gitlab-ci.yml',
    'branch': 'only jobs on this branch, such as main',
    'tag': 'only jobs on this tag, such as v*',
    'environment': 'only jobs in this environment',
    'any-ref': 'jobs on every branch and tag',
    'event': 'only jobs of this event, such as push; may be repeated',
    ...SCOPE_TEXTS,
    ...ADMIN_TEXTS,
  },
  examples: {
    ["berth publishers add gpkg --provider github --repository acme/import-gpkg --tag 'v*' " +
    '--environment production --package @acme/import-gpkg']: 'let production jobs on tags publish one package',
  },
  parameters: ['NAME'],
  async run(
    { provider, repository, 'repository-id': repositoryId, 'any-ref': anyRef, 'event': events, ...values },
    name,
  ) {
    const { issuer, workflow, branch, tag, environment, json, url, ...scopes } = values;
    if (provider !== 'github' && provider !== 'gitlab') throw new UsageError('--provider must be github or gitlab');
    if (repository === undefined) throw new UsageError('missing option --repository');
    if ([branch, tag, environment, anyRef].every((value) => value === undefined))
      throw new UsageError('give --branch, --tag or --environment, or --any-ref to trust every branch');
    const publisher = await openAdminApi({ url, json }).request<Publisher>('POST', '/trusted-publishers', {
      name,
      provider,
      repository,
      repositoryId,
      issuer,
      workflow,
      branch,
      tag,
      environment,
      anyRef,
      events,
      ...scopeFields(scopes),
    });
    print(json ? JSON.stringify(publisher) : `Added ${publisher._id}.`);
    printWarnings('publishers', publisher);
  },
});

const list = defineCommand({
  summary: 'list trusted publishers',
  usage: 'publishers ls [--url URL] [--json]',
  description: `Lists trusted publishers, newest first. The number of a repository is filled in by the first job that
gets a key.

${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth publishers ls': 'pipelines that publish without a key' },
  async run(values) {
    const { results } = await openAdminApi(values).request<{ results: Publisher[] }>('GET', '/trusted-publishers');
    if (values.json) return print(JSON.stringify(results));
    if (results.length === 0) return print('No trusted publishers.');
    print(formatTable([['ID', 'NAME', 'REPOSITORY', 'NUMBER', 'JOBS', 'SCOPE', 'LAST USED'], ...results.map(rowOf)]));
    if (results.some(({ loose }) => loose)) print(ABOUT_LOOSE);
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

function rowOf({ _id, name, repository, repositoryId = '-', lastUsedAt, ...publisher }: Publisher): string[] {
  return [
    _id,
    name,
    repository,
    repositoryId,
    formatJobs(publisher),
    formatScopes(publisher),
    lastUsedAt?.slice(0, 16).replace('T', ' ') ?? 'never',
  ];
}

/** Formats which jobs match, such as `tag v*, environment production`. */
function formatJobs({ branch, tag, anyRef, environment, workflow, events, loose }: Partial<Publisher>): string {
  const conditions = { branch, tag, environment, workflow, event: events?.join('|') };
  return [
    ...(loose ? ['loose'] : anyRef ? ['any branch and tag'] : []),
    ...Object.entries(conditions)
      .filter(([, value]) => value !== undefined)
      .map((pair) => pair.join(' ')),
  ].join(', ');
}
