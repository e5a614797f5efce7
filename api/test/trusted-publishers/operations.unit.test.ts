import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePublisher, issuerOf, matchesJob, tokenName } from '../../src/trusted-publishers/operations.ts';
import type { Publisher } from '../../src/trusted-publishers/schemas.ts';

const BASE: Publisher = {
  _id: 'one',
  name: 'gpkg',
  provider: 'gitlab',
  issuer: 'https://example.org/gitlab',
  repository: 'acme/gpkg',
  createdAt: '2026-03-01T12:00:00.000Z',
};

test('the issuer defaults to that of the platform, otherwise it is an https URL, unchanged', () => {
  assert.equal(issuerOf({ provider: 'github' }), 'https://token.actions.githubusercontent.com');
  assert.equal(issuerOf({ provider: 'gitlab' }), 'https://gitlab.com');
  assert.equal(issuerOf({ provider: 'gitlab', issuer: 'https://example.org/gitlab' }), 'https://example.org/gitlab');
  assert.equal(issuerOf({ provider: 'gitlab', issuer: 'http://localhost:8080' }), 'http://localhost:8080');
  for (const issuer of [
    'http://example.org',
    'ftp://example.org',
    'https://a:b@example.org',
    'https://example.org?x=1',
    'https://example.org#x',
    'http://localhost.example.org',
    '',
  ])
    assert.equal(issuerOf({ provider: 'gitlab', issuer }), undefined, issuer);
});

test('a GitLab with a base path names workflows by host and path', () => {
  const publisher = { ...BASE, workflow: '.gitlab-ci.yml' };
  const claims = (ci_config_ref_uri: unknown) => ({ project_path: 'acme/gpkg', ci_config_ref_uri });
  assert.ok(matchesJob(publisher, claims('example.org/gitlab/acme/gpkg//.gitlab-ci.yml@refs/heads/main')));
  for (const other of [
    'example.org/acme/gpkg//.gitlab-ci.yml@refs/heads/main',
    'example.org/gitlab/acme/gpkg//x/.gitlab-ci.yml@refs/heads/main',
    'example.org/gitlab/acme/gpkg//.gitlab-ci.yml.txt@refs/heads/main',
    '',
    null,
    5,
  ]) {
    assert.ok(!matchesJob(publisher, claims(other)), String(other));
  }
});

test('choosePublisher prefers the most specific publisher, then the first', () => {
  const [unscoped, prefix, exact, inEnvironment] = [
    BASE,
    { ...BASE, _id: 'prefix', allowedNamePrefix: '@acme/gpkg@' },
    { ...BASE, _id: 'exact', allowedName: '@acme/gpkg@1' },
    { ...BASE, _id: 'environment', environment: 'production' },
  ];
  assert.equal(choosePublisher([unscoped, prefix, exact], '@acme/gpkg@1')?._id, 'exact');
  assert.equal(choosePublisher([unscoped, prefix, exact], '@acme/gpkg@2')?._id, 'prefix');
  assert.equal(choosePublisher([unscoped, prefix, exact], '@acme/csv@1')?._id, 'one');
  assert.equal(choosePublisher([unscoped, inEnvironment], undefined)?._id, 'environment');
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
