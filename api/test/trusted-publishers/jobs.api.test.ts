// Random publishers: each has a job that gets a key, and no job that differs from it in one respect gets one.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { EVENTS } from '../../src/trusted-publishers/events.ts';
import { gitlabJob, githubJob, type JobClaims } from '../support/pipeline.ts';
import { readProblem } from '../support/problems.ts';
import { describeWithProvider, type Publisher } from './publisher-fixture.ts';

const ROUNDS = 10;

/** Patterns, with a name that each matches, and others that it does not. */
const PATTERNS: Record<string, { name: string; others: string[] }> = {
  'main': { name: 'main', others: ['Main', 'main2', 'x/main', 'main/x', 'mai'] },
  'v*': { name: 'v1.2.0', others: ['w1', 'v1/x', 'x/v1', 'V1'] },
  'release-*-lts': { name: 'release-1-lts', others: ['release-1', 'release-/-lts', 'release-1-lts2'] },
  'feature/**': { name: 'feature/a/b', others: ['feature', 'feature2/a', 'x/feature/a'] },
};
const PROPOSALS = ['pull_request', 'pull_request_target', 'merge_request_event', 'external_pull_request_event'];

interface Job {
  repository: string;
  id: string | undefined;
  ref: string | undefined;
  event: string | undefined;
  file: string;
  environment: string | undefined;
}

const pick = <Item>(items: readonly Item[]): Item => items[randomInt(items.length)]!;
const maybe = <Value>(value: Value): Value | undefined => (randomInt(2) === 0 ? undefined : value);

/** Fields of a publisher, some of them in another spelling than the claims. */
function randomFields(): Record<string, unknown> {
  const isGithub = randomInt(2) === 0;
  const name = isGithub ? 'acme/import-gpkg' : 'acme/geo/import-gpkg';
  const ref = pick(['branch', 'tag', 'both', 'none'] as const);
  const fields = {
    provider: isGithub ? 'github' : 'gitlab',
    repository: pick([name, ` ${name} `, `${name}.git`, name.toUpperCase()]),
    repositoryId: maybe(`${randomInt(1, 1_000_000)}`),
    workflow: maybe(
      isGithub ? pick(['publish.yml', '.github/workflows/publish.yml']) : pick(['/ci/a.yml', '.gitlab-ci.yml']),
    ),
    branch: ref === 'branch' || ref === 'both' ? pick(Object.keys(PATTERNS)) : undefined,
    tag: ref === 'tag' || ref === 'both' ? pick(['refs/tags/v*', ...Object.keys(PATTERNS)]) : undefined,
    environment: maybe(pick(['production', ' staging'])),
    events: maybe([pick(EVENTS[isGithub ? 'github' : 'gitlab']), 'push']),
  };
  return ref === 'none' && fields.environment === undefined ? { ...fields, anyRef: true } : fields;
}

function jobOf({
  repository,
  repositoryId = '4242',
  workflow = 'any.yml',
  environment,
  ...publisher
}: Publisher): Job {
  const refs = refsOf(publisher).map(({ folder, pattern }) => `${folder}${PATTERNS[pattern]!.name}`);
  return {
    repository,
    id: repositoryId,
    ref: pick(refs.length > 0 ? refs : ['refs/heads/any', 'refs/tags/any']),
    event: pick(publisher.events ?? ['push', 'schedule']),
    file: workflow,
    environment,
  };
}

function refsOf({ branch, tag }: Pick<Publisher, 'branch' | 'tag'>): { folder: string; pattern: string }[] {
  return [
    ...(branch === undefined ? [] : [{ folder: 'refs/heads/', pattern: branch }]),
    ...(tag === undefined ? [] : [{ folder: 'refs/tags/', pattern: tag }]),
  ];
}

/** Jobs that differ in one respect from one that matches the publisher, by what differs. */
function otherJobs(publisher: Publisher, job: Job): Record<string, Job> {
  const { repository, workflow, environment, events } = publisher;
  const others: Record<string, Job> = {};
  const add = (field: keyof Job, values: readonly (string | undefined)[]) => {
    for (const value of values) others[`${field} ${value}`] = { ...job, [field]: value };
  };
  add('repository', [`${repository}2`, `x${repository}`, `${repository}/x`, repository.replace('/', '-')]);
  add('id', [`1${job.id}`, undefined]);
  add('event', [undefined, ...[...PROPOSALS, 'fork'].filter((it) => (events ? !events.includes(it) : it !== 'fork'))]);
  if (workflow !== undefined)
    add('file', [
      `${workflow}@x.yml`,
      `x/${workflow}`,
      `x${workflow}`,
      workflow.toUpperCase(),
      `${workflow}@/x/${workflow}`,
    ]);
  if (environment !== undefined) add('environment', [undefined, `${environment}2`, 'any']);
  const refs = refsOf(publisher);
  if (refs.length > 0) add('ref', [undefined, 'main', 'refs/pull/7/merge', 'refs/heads/', 'refs/tags/']);
  if (refs.length === 1)
    add(
      'ref',
      refs.flatMap(({ folder, pattern }) => [
        ...PATTERNS[pattern]!.others.map((name) => `${folder}${name}`),
        `${folder === 'refs/tags/' ? 'refs/heads/' : 'refs/tags/'}${PATTERNS[pattern]!.name}`,
      ]),
    );
  return others;
}

describeWithProvider('random trusted publishers', (fixture) => {
  function sign(provider: string, job: Job, changes: JobClaims = {}): Promise<string> {
    const { host } = new URL(fixture.provider.issuer);
    const common = { sha: 'c'.repeat(40), environment: job.environment };
    const claims =
      provider === 'github'
        ? githubJob(fixture.provider, fixture.audience, {
            ...common,
            repository: job.repository,
            repository_id: job.id,
            ref: job.ref,
            event_name: job.event,
            workflow_ref: `${job.repository}/.github/workflows/${job.file}@${job.ref}`,
            ...changes,
          })
        : gitlabJob(fixture.provider, fixture.audience, {
            ...common,
            project_path: job.repository,
            project_id: job.id,
            ref: job.ref?.replace(/^refs\/(heads|tags)\//, ''),
            ref_path: job.ref,
            ref_type: job.ref?.startsWith('refs/tags/') ? 'tag' : 'branch',
            pipeline_source: job.event,
            ci_config_ref_uri: `${host}/${job.repository}//${job.file}@${job.ref}`,
            ...changes,
          });
    return fixture.provider.sign(claims);
  }

  /** From another network each time, since refused tokens are limited. */
  const exchange = (token: string) =>
    fixture.berth.api('POST', '/upload-tokens', {
      headers: { 'x-forwarded-for': `10.${randomInt(256)}.${randomInt(256)}.${randomInt(256)}` },
      body: { token },
    });

  test('accept a job that has what they name, and none that differs in one respect', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const fields = randomFields();
      const id = await fixture.trust({ workflow: undefined, environment: undefined, ...fields });
      const publisher = (await fixture.list()).find(({ _id }) => _id === id);
      assert.ok(publisher);
      const job = jobOf(publisher);
      const what = JSON.stringify({ fields, job });
      const accepted = await exchange(await sign(publisher.provider, job));
      assert.equal(accepted.status, 201, `${what}: ${await accepted.text()}`);
      const wrongSuffix = { workflow_ref: `${job.file}@x`, ci_config_ref_uri: `${job.file}@x` };
      const refused = [
        ...Object.entries(otherJobs(publisher, job)).map(([name, other]) => [name, other, {}] as const),
        ['issuer', job, { iss: `${fixture.provider.issuer}/` }] as const,
        ...(publisher.workflow === undefined ? [] : [['workflow', job, wrongSuffix] as const]),
      ];
      for (const [name, other, changes] of refused) {
        const response = await exchange(await sign(publisher.provider, other, changes));
        assert.equal(response.status, 403, `${name} of ${what}: ${await response.clone().text()}`);
        await readProblem(response, 403, 'publisher_not_trusted');
      }
      await fixture.remove(id);
    }
  });
});
