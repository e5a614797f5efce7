import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gitlabJob, type JobClaims } from '../support/pipeline.ts';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { describeWithProvider } from './publisher-fixture.ts';

describeWithProvider('publishing without a key', (fixture) => {
  const { asAdmin, exchange, job, keyFor, list, trust, upload } = fixture;

  test('a job of a trusted repository gets a key for an hour and publishes under its name', async () => {
    const _id = await trust();
    const response = await exchange(await job());
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const { key, expiresAt, publisher } = (await response.json()) as {
      key: string;
      expiresAt: string;
      publisher: object;
    };
    assert.deepEqual(publisher, { _id, name: 'gpkg' });
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 3_600_000) < 60_000);
    const uploaded = await upload(key);
    assert.equal(uploaded.status, 201, await uploaded.clone().text());
    const { artefact } = (await uploaded.json()) as { artefact: { uploadedBy: { apiKeyName: string } } };
    assert.equal(artefact.uploadedBy.apiKeyName, 'gpkg · acme/import-gpkg · v1.2.0 · aaaaaaa · run 77');
    assert.ok((await list())[0]?.lastUsedAt);
  });

  test('the key has the scopes of its publisher and is not listed', async () => {
    await trust();
    const key = await keyFor(await job());
    await readProblem(await upload(key, '@acme/other@1'), 403, 'key_scope');
    await readProblem(
      await fixture.berth.upload('@acme/import-gpkg@9', {
        file: await npmTarball({ name: '@acme/other' }),
        headers: { 'x-api-key': key },
      }),
      403,
      'key_scope',
    );
    const { results } = (await (await asAdmin('GET', '/api-keys')).json()) as { results: { shortId: string }[] };
    assert.ok(results.every(({ shortId }) => !key.startsWith(`reg_${shortId}_`)));
  });

  const gitlabToken = (changes?: JobClaims) =>
    fixture.provider.sign(gitlabJob(fixture.provider, fixture.audience, changes));

  test('a GitLab project is identified by its claims', async () => {
    await trust({
      provider: 'gitlab',
      repository: 'Acme/geo/import-gpkg',
      repositoryId: '4242',
      workflow: '.gitlab-ci.yml',
      environment: 'staging',
    });
    assert.equal((await upload(await keyFor(await gitlabToken()))).status, 201);
    const { host } = new URL(fixture.provider.issuer);
    for (const changes of [
      { ci_config_ref_uri: `${host}/acme/geo/import-gpkg//other.yml@refs/heads/main` },
      { project_id: '4243' },
    ])
      await readProblem(await exchange(await gitlabToken(changes)), 403, 'publisher_not_trusted');
  });

  for (const [what, changes] of Object.entries<JobClaims>({
    'another repository': { repository: 'mallory/import-gpkg' },
    'a repository whose name has the same prefix': { repository: 'acme/import-gpkg-fork' },
    'another workflow': { workflow_ref: 'acme/import-gpkg/.github/workflows/test.yml@refs/heads/main' },
    'a workflow of another repository': {
      workflow_ref: 'mallory/import-gpkg/.github/workflows/publish.yml@refs/heads/main',
    },
    'a workflow whose name goes on': {
      workflow_ref: 'acme/import-gpkg/.github/workflows/publish.yml@x.yml@refs/tags/v1.2.0',
    },
    'a workflow of another ref': {
      workflow_ref: 'acme/import-gpkg/.github/workflows/publish.yml@refs/heads/main',
    },
    'a pull request': {
      event_name: 'pull_request',
      ref: 'refs/pull/7/merge',
      workflow_ref: 'acme/import-gpkg/.github/workflows/publish.yml@refs/pull/7/merge',
    },
    'a pull request that runs on the target': { event_name: 'pull_request_target' },
    'another environment': { environment: 'staging' },
    'no environment': { environment: undefined },
    'claims of GitLab': { repository: undefined, project_path: 'acme/import-gpkg' },
  })) {
    test(`a job of ${what} is refused`, async () => {
      await trust();
      await readProblem(await exchange(await job(changes)), 403, 'publisher_not_trusted');
    });
  }

  test('a publisher can allow pull requests by name, and then nothing else', async () => {
    await trust({ events: ['pull_request_target'] });
    await readProblem(await exchange(await job()), 403, 'publisher_not_trusted');
    await keyFor(await job({ event_name: 'pull_request_target' }));
  });

  test('only the branch and the tag that a publisher names get a key', async () => {
    const onRef = (ref: string) =>
      job({ ref, workflow_ref: `acme/import-gpkg/.github/workflows/publish.yml@${ref}`, environment: undefined });
    await trust({ branch: 'main', tag: 'v*', environment: undefined });
    for (const ref of ['refs/heads/main', 'refs/tags/v1.2.0']) await keyFor(await onRef(ref));
    for (const ref of ['refs/heads/pwn', 'refs/heads/v1.2.0', 'refs/tags/main', 'refs/tags/v1/x', 'main'])
      await readProblem(await exchange(await onRef(ref)), 403, 'publisher_not_trusted');
  });

  test('a token is accepted once, even if sent concurrently', async () => {
    await trust();
    const token = await job();
    const answers = await Promise.all([exchange(token), exchange(token), exchange(token)]);
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 401, 401]);
    await readProblem(await exchange(token), 401, 'identity_token_used');
  });

  test('of several matching publishers, the most specific that may upload the artefact is chosen', async () => {
    await trust({ name: 'all of acme', allowedNamePrefix: '@acme/', allowedPackageName: undefined });
    await trust({ name: 'gpkg' });
    await trust({ name: 'shp', allowedNamePrefix: '@acme/import-shp@', allowedPackageName: '@acme/import-shp' });
    const publisherFor = async (artefactId: string) =>
      ((await (await exchange(await job(), artefactId)).json()) as { publisher: { name: string } }).publisher.name;
    assert.equal(await publisherFor('@acme/import-gpkg@1'), 'gpkg');
    assert.equal(await publisherFor('@acme/import-shp@1'), 'shp');
    assert.equal(await publisherFor('@acme/import-csv@1'), 'all of acme');
  });

  test('an address with too many refused tokens is limited, but a valid token is accepted', async () => {
    await trust();
    const from = (token: string) =>
      fixture.berth.api('POST', '/upload-tokens', { headers: { 'x-forwarded-for': '203.0.113.9' }, body: { token } });
    const answers = [];
    for (let attempt = 0; attempt < 70 && answers.at(-1) !== 429; attempt++)
      answers.push((await from('no token')).status);
    assert.deepEqual([answers[0], answers.at(-1)], [401, 429]);
    assert.equal((await from(await job())).status, 201);
  });
});
