import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobClaims } from '../support/pipeline.ts';
import { readProblem } from '../support/problems.ts';
import { describeWithProvider } from './publisher-fixture.ts';

const workflowAt = (ref: string, file = 'publish.yml') => `acme/import-gpkg/.github/workflows/${file}@${ref}`;

describeWithProvider('refused jobs', (fixture) => {
  const { exchange, job, trust } = fixture;
  const detailOf = async (token: string) =>
    (await readProblem(await exchange(token), 403, 'publisher_not_trusted')).detail;

  test('of the repository of a publisher learn what it expects instead, and only that', async () => {
    await trust({ name: 'secret name', tag: 'other-*', environment: 'staging', workflow: 'release.yml' });
    await trust({ name: 'secret name', tag: 'v*', environment: 'staging', workflow: 'publish.yml' });
    assert.equal(
      await detailOf(await job()),
      'No trusted publisher matches this job. Its token says: repository acme/import-gpkg, number 4242, ' +
        'workflow publish.yml, ref refs/tags/v1.2.0, event push, environment production. The trusted publisher of ' +
        'this repository that is nearest to it expects: environment staging. Change the job, or ask a superadmin to ' +
        'add a publisher for it.',
    );
    const cases: [JobClaims, string][] = [
      [{ environment: 'staging', ref: 'refs/heads/x', workflow_ref: workflowAt('refs/heads/x') }, 'tag v*'],
      [{ environment: 'staging', workflow_ref: workflowAt('refs/tags/v1.2.0', 'ci.yml') }, 'workflow publish.yml'],
      [{ environment: undefined, event_name: 'pull_request' }, 'event of a branch or a tag, environment staging'],
      [{ repository: 'Acme/Import-GPKG', ref: 'refs/tags/x' }, 'tag v*, environment staging, workflow publish.yml'],
    ];
    for (const [changes, expected] of cases) {
      const detail = await detailOf(await job(changes));
      assert.ok(detail.includes(` expects: ${expected}. Change`), detail);
      assert.doesNotMatch(detail, /secret name|other-|release\.yml/);
    }
  });

  test('of other repositories learn what their token says, and nothing of the publishers', async () => {
    await trust({ name: 'secret name', tag: 'secret-tag', environment: 'secret-environment', workflow: 'secret.yml' });
    await trust({ repository: 'acme/secret', branch: 'secret', environment: undefined });
    for (const repository of ['mallory/x', 'acme/import', 'acme/import-gpkg2', 'acme', '', undefined, '*'])
      for (const repository_id of ['4242', '7', undefined]) {
        const detail = await detailOf(await job({ repository, repository_id }));
        assert.match(detail, /Compare this with the trusted publishers that a superadmin has configured\.$/);
        assert.doesNotMatch(detail, /secret|expects/);
        const token = `repository ${repository}, number ${repository_id ?? ''}`;
        if (repository && repository_id) assert.ok(detail.includes(token), detail);
      }
    assert.match(
      await detailOf(await job({ environment: undefined, workflow_ref: 'acme/ci/.github/workflows/x.yml@main' })),
      /, workflow acme\/ci\/\.github\/workflows\/x\.yml@main, .+, no environment\. /,
    );
  });

  test('of pull requests learn why', async () => {
    await trust();
    assert.match(
      await detailOf(await job({ event_name: 'pull_request_target' })),
      /event pull_request_target, .+ names the event: publish from a branch or a tag instead\.$/,
    );
  });

  test('are answered on one line of bounded length, whatever the claims contain', async () => {
    await trust();
    const odd = `a\n\r\u0000\u001b[31m\u202e\u2028${'x'.repeat(1000)}`;
    const detail = await detailOf(
      await job({
        repository: odd,
        ref: odd,
        event_name: odd,
        environment: odd,
        workflow_ref: odd,
        repository_id: odd,
      }),
    );
    assert.ok(detail.length < 1600, `${detail.length}`);
    assert.doesNotMatch(detail, /[\p{C}\p{Zl}]/u);
  });

  test('of an unknown issuer learn the issuer, on one line of bounded length', async () => {
    await trust();
    const iss = `${fixture.provider.issuer}/`;
    assert.ok((await detailOf(await job({ iss }))).includes(`identity token, ${iss}: `));
    const detail = await detailOf(
      await job({ iss: `https://\n\u001b\u202e${'x'.repeat(5000)}`, repository: 'unverified' }),
    );
    assert.ok(detail.length < 400, `${detail.length}`);
    assert.doesNotMatch(detail, /[\p{C}\p{Zl}]|unverified/u);
  });
});
