import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { describeWithProvider } from './publisher-fixture.ts';

describeWithProvider('refused jobs', (fixture) => {
  const { exchange, job, trust } = fixture;
  const detailOf = async (token: string) =>
    (await readProblem(await exchange(token), 403, 'publisher_not_trusted')).detail;

  test('learn what their token says, and nothing of the publishers', async () => {
    await trust({ name: 'secret name', tag: 'secret-tag', environment: 'secret-environment', workflow: 'secret.yml' });
    assert.equal(
      await detailOf(await job()),
      'No trusted publisher matches this job. Its token says: repository acme/import-gpkg, number 4242, ' +
        'workflow publish.yml, ref refs/tags/v1.2.0, event push, environment production. Compare this with the ' +
        'trusted publishers that a superadmin has configured.',
    );
    assert.match(
      await detailOf(await job({ environment: undefined, workflow_ref: 'acme/ci/.github/workflows/x.yml@main' })),
      /, workflow acme\/ci\/\.github\/workflows\/x\.yml@main, .+, no environment\. /,
    );
    assert.doesNotMatch(await detailOf(await job({ repository: 'mallory/x' })), /secret/);
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
