import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  choosePublisher,
  differences,
  readJob,
  tokenName,
  type Claims,
} from '../../src/trusted-publishers/operations.ts';
import type { Publisher } from '../../src/trusted-publishers/schemas.ts';

const BASE: Publisher = {
  _id: 'one',
  name: 'gpkg',
  provider: 'gitlab',
  issuer: 'https://example.org/gitlab',
  repository: 'acme/gpkg',
  createdAt: '2026-03-01T12:00:00.000Z',
};
const GITLAB_CLAIMS = {
  project_path: 'acme/gpkg',
  pipeline_source: 'push',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
};

function matchesJob(publisher: Publisher, claims: Claims): boolean {
  return differences(publisher, readJob(publisher.provider, claims)).length === 0;
}

test('a GitLab with a base path names workflows by host and path', () => {
  const publisher = { ...BASE, workflow: '.gitlab-ci.yml' };
  const matches = (ci_config_ref_uri: unknown) => matchesJob(publisher, { ...GITLAB_CLAIMS, ci_config_ref_uri });
  assert.ok(matches('example.org/gitlab/acme/gpkg//.gitlab-ci.yml@refs/heads/main'));
  for (const other of [
    'example.org/acme/gpkg//.gitlab-ci.yml@refs/heads/main',
    'example.org/gitlab/acme/gpkg//x/.gitlab-ci.yml@refs/heads/main',
    'example.org/gitlab/acme/gpkg//.gitlab-ci.yml.txt@refs/heads/main',
    'example.org/gitlab/acme/gpkg//.gitlab-ci.yml@/x.yml@refs/heads/main',
    'example.org/gitlab/acme/gpkg//.gitlab-ci.yml@refs/heads/other',
    'example.org/gitlab/acme/gpkg//.gitlab-ci.yml@',
    'example.org/gitlab/acme/gpkg//.gitlab-ci.yml',
    '',
    null,
    5,
  ])
    assert.ok(!matches(other), String(other));
});

test('a workflow may be named by the commit of a deployment without a ref', () => {
  const sha = 'a'.repeat(40);
  const publisher: Publisher = { ...BASE, provider: 'github', workflow: 'publish.yml' };
  const claims = { repository: 'acme/gpkg', event_name: 'deployment', sha };
  assert.ok(matchesJob(publisher, { ...claims, workflow_ref: `acme/gpkg/.github/workflows/publish.yml@${sha}` }));
  assert.ok(!matchesJob(publisher, { ...claims, workflow_ref: `acme/gpkg/.github/workflows/publish.yml@b${sha}` }));
  assert.ok(!matchesJob(publisher, { ...claims, workflow_ref: 'acme/gpkg/.github/workflows/publish.yml@undefined' }));
});

test('a GitLab that states no ref_path names the ref by its type', () => {
  const claims = { ...GITLAB_CLAIMS, ref_path: undefined };
  for (const [publisher, changes, expected] of [
    [{ branch: 'main' }, {}, true],
    [{ tag: 'main' }, {}, false],
    [{ tag: 'main' }, { ref_type: 'tag' }, true],
    [{ branch: 'main' }, { ref_type: 'tag' }, false],
    [{ branch: 'main' }, { ref_type: undefined }, false],
    [{ branch: 'main' }, { ref_path: 'refs/tags/main' }, false],
  ] as const)
    assert.equal(matchesJob({ ...BASE, ...publisher }, { ...claims, ...changes }), expected);
});

test('jobs that may run a proposal match only a publisher that names their event', () => {
  const proposals: [Publisher['provider'], object][] = [
    ['github', { event_name: 'pull_request', ref: 'refs/pull/7/merge' }],
    ['github', { event_name: 'pull_request', ref: 'refs/heads/main' }],
    ['github', { event_name: 'pull_request_target', ref: 'refs/heads/main' }],
    ['github', { event_name: 'pull_request_review', ref: 'refs/pull/7/merge' }],
    ['github', { event_name: 'of the future', ref: 'refs/pull/7/merge' }],
    ['gitlab', { pipeline_source: 'merge_request_event' }],
    ['gitlab', { pipeline_source: 'external_pull_request_event' }],
    ['gitlab', { pipeline_source: 'parent_pipeline' }],
    ['gitlab', { pipeline_source: 'of the future', ref_path: 'refs/merge-requests/7/head' }],
  ];
  for (const [provider, changes] of proposals) {
    const claims = { ...GITLAB_CLAIMS, repository: 'acme/gpkg', ...changes };
    const event = Object.values(changes)[0] as string;
    for (const publisher of [{}, { anyRef: true }]) {
      assert.ok(!matchesJob({ ...BASE, provider, ...publisher }, claims), event);
      assert.ok(matchesJob({ ...BASE, provider, ...publisher, events: ['push', event] }, claims), event);
      assert.ok(!matchesJob({ ...BASE, provider, ...publisher, events: ['push'] }, claims), event);
    }
  }
  assert.ok(!matchesJob(BASE, { ...GITLAB_CLAIMS, pipeline_source: undefined }), 'without an event');
});

test('choosePublisher prefers the most specific publisher, then the first', () => {
  const [unscoped, prefix, exact, inEnvironment] = [
    BASE,
    { ...BASE, _id: 'prefix', allowedNamePrefix: '@acme/gpkg@' },
    { ...BASE, _id: 'exact', allowedName: '@acme/gpkg@1' },
    { ...BASE, _id: 'environment', environment: 'production' },
  ];
  const onTags = { ...BASE, _id: 'tags', tag: 'v*' };
  assert.equal(choosePublisher([unscoped, prefix, exact], '@acme/gpkg@1')?._id, 'exact');
  assert.equal(choosePublisher([unscoped, prefix, exact], '@acme/gpkg@2')?._id, 'prefix');
  assert.equal(choosePublisher([unscoped, prefix, exact], '@acme/csv@1')?._id, 'one');
  assert.equal(choosePublisher([unscoped, inEnvironment], undefined)?._id, 'environment');
  assert.equal(choosePublisher([inEnvironment, onTags], undefined)?._id, 'tags');
  assert.equal(choosePublisher([onTags, prefix], '@acme/gpkg@1')?._id, 'prefix');
  assert.equal(choosePublisher([unscoped, { ...unscoped, _id: 'older' }], undefined)?._id, 'one');
  assert.equal(choosePublisher([prefix], '@acme/csv@1')?._id, 'prefix', 'whose scopes then refuse the upload');
  assert.equal(choosePublisher([], '@acme/csv@1'), undefined);
});

test('a token name is one line of bounded length, whatever the claims contain', () => {
  assert.equal(
    tokenName(BASE, { ref: 'refs/heads/main', sha: 'b'.repeat(40), pipeline_id: 78 }),
    'gpkg · acme/gpkg · main · bbbbbbb · run 78',
  );
  assert.equal(tokenName(BASE, {}), 'gpkg · acme/gpkg');
  const name = tokenName(BASE, { ref: `a\n\u0000${'x'.repeat(500)}` });
  assert.ok(name.length <= 200);
  assert.doesNotMatch(name, /\p{Cc}/u);
});
