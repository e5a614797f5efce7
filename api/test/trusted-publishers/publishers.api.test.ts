import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { describeWithProvider } from './publisher-fixture.ts';

describeWithProvider('managing trusted publishers', (fixture) => {
  const { asAdmin, exchange, job, keyFor, remove, trust, upload } = fixture;

  test('deleting a publisher revokes its keys, and a second deletion finds nothing', async () => {
    const id = await trust();
    const key = await keyFor(await job());
    assert.equal((await remove(id)).status, 204);
    await readProblem(await upload(key), 401, 'api_key_invalid');
    await readProblem(await remove(id), 404, 'trusted_publisher_not_found');
    await readProblem(await exchange(await job()), 403, 'publisher_not_trusted');
  });

  test('the audit log records the publisher, the job that used it, and its upload', async () => {
    const id = await trust();
    const key = await keyFor(await job());
    await upload(key);
    const events = async (query: string) =>
      (
        (await (await asAdmin('GET', `/audit-events?${query}`)).json()) as {
          results: { action: string; actor: { kind: string }; details: Record<string, unknown> }[];
        }
      ).results;
    const [exchanged, updated, created] = await events(`target=${id}`);
    assert.deepEqual(
      [created?.action, updated?.action, exchanged?.action],
      ['trusted-publisher.create', 'trusted-publisher.update', 'trusted-publisher.exchange'],
    );
    assert.deepEqual(updated?.details, { repositoryId: '4242' });
    assert.partialDeepStrictEqual(exchanged?.details, {
      ref: 'refs/tags/v1.2.0',
      event: 'push',
      run: '77',
      by: 'uma',
      environment: 'production',
    });
    const [uploaded] = await events(`actor=${exchanged?.details['apiKeyId'] as string}`);
    assert.equal(uploaded?.action, 'artefact.upload');
    assert.ok(!JSON.stringify([exchanged, created, uploaded]).includes(key));
  });

  test('an invalid field is refused by name', async () => {
    const fields = { name: 'CI', provider: 'gitlab', repository: 'acme/gpkg', tag: 'v*' };
    for (const issuer of [
      'http://gitlab.example.org',
      'https://user:secret@gitlab.example.org',
      'https://gitlab.example.org?x',
      'gitlab.example.org',
    ]) {
      const { errors } = await readProblem(
        await asAdmin('POST', '/trusted-publishers', { ...fields, issuer }),
        400,
        'trusted_publisher_invalid',
      );
      assert.deepEqual(
        errors?.map(({ path }) => path),
        ['/issuer'],
        issuer,
      );
    }
    const { errors } = await readProblem(
      await asAdmin('POST', '/trusted-publishers', { ...fields, allowedCategory: 'none such' }),
      400,
      'trusted_publisher_invalid',
    );
    assert.deepEqual(
      errors?.map(({ path }) => path),
      ['/allowedCategory'],
    );
    await readProblem(await asAdmin('POST', '/trusted-publishers', { ...fields, events: [] }), 400, 'request_invalid');
    const created = (await (await asAdmin('POST', '/trusted-publishers', fields)).json()) as { issuer: string };
    assert.equal(created.issuer, 'https://gitlab.com');
  });

  test('a prefix that covers siblings is worth a warning, which is not stored', async () => {
    const fields = { name: 'CI', provider: 'github', repository: 'acme/gpkg', tag: 'v*' };
    const create = async (allowedNamePrefix: string) =>
      (await (await asAdmin('POST', '/trusted-publishers', { ...fields, allowedNamePrefix })).json()) as {
        warnings?: string[];
      };
    assert.match(
      (await create('@acme/foo')).warnings?.join() ?? '',
      /^The prefix @acme\/foo also covers .*@acme\/foos: /,
    );
    assert.equal((await create('@acme/foo@')).warnings, undefined);
    const { results } = (await (await asAdmin('GET', '/trusted-publishers')).json()) as { results: object[] };
    assert.ok(results.every((publisher) => !('warnings' in publisher)));
  });

  test('a publisher that trusts every branch says so', async () => {
    const fields = { name: 'CI', provider: 'github', repository: 'acme/gpkg', workflow: 'publish.yml' };
    const { errors } = await readProblem(
      await asAdmin('POST', '/trusted-publishers', fields),
      400,
      'trusted_publisher_invalid',
    );
    assert.deepEqual(errors, [
      {
        path: '/branch',
        message:
          'must be given, or tag or environment, since otherwise whoever can push any branch can publish; ' +
          'anyRef: true permits that',
      },
    ]);
    const id = await trust({ environment: undefined, anyRef: true });
    assert.partialDeepStrictEqual((await fixture.list())[0], { _id: id, anyRef: true });
    assert.ok(!('loose' in (await fixture.list())[0]!));
    await keyFor(await job({ environment: undefined }));
  });

  test('fields are stored as tokens state them', async () => {
    await trust({
      repository: 'acme/import-gpkg.git',
      workflow: '.github/workflows/publish.yml',
      environment: 'Production',
    });
    await keyFor(await job());
    assert.partialDeepStrictEqual((await fixture.list())[0], {
      repository: 'acme/import-gpkg',
      workflow: 'publish.yml',
    });
  });
});
