import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { describeWithProvider } from './publisher-fixture.ts';

describeWithProvider('the number of a trusted repository', (fixture) => {
  const { asAdmin, exchange, job, keyFor, list, trust } = fixture;
  const numbers = async () => (await list()).map(({ repositoryId }) => repositoryId);
  const updates = async (target: string) =>
    (
      (await (await asAdmin('GET', `/audit-events?target=${target}&action=trusted-publisher.update`)).json()) as {
        results: { actor: { kind: string }; details: object }[];
      }
    ).results;

  test('is that of the first job that gets a key, and is compared from then on', async () => {
    const id = await trust();
    await readProblem(
      await exchange(await job({ repository_id: '9', environment: 'staging' })),
      403,
      'publisher_not_trusted',
    );
    assert.deepEqual(await numbers(), [undefined]);
    await keyFor(await job());
    assert.deepEqual(await numbers(), ['4242']);
    await keyFor(await job());
    assert.deepEqual(
      (await updates(id)).map(({ details }) => details),
      [{ repositoryId: '4242' }],
    );
    const { detail } = await readProblem(
      await exchange(await job({ repository_id: '999' })),
      403,
      'publisher_not_trusted',
    );
    assert.match(detail, /repository acme\/import-gpkg, number 999, .+ has another number: .+ ask a superadmin/);
    assert.deepEqual(await numbers(), ['4242']);
  });

  test('is that of one of several that are first at the same time', async () => {
    for (let round = 0; round < 5; round++) {
      const id = await trust();
      const ids = ['1', '2', '3', '2'];
      const tokens = await Promise.all(ids.map((repository_id) => job({ repository_id })));
      const answers = await Promise.all(tokens.map((token) => exchange(token)));
      const [number] = await numbers();
      for (const [index, answer] of answers.entries())
        if (ids[index] === number) assert.equal(answer.status, 201, await answer.text());
        else await readProblem(answer, 403, 'publisher_not_trusted');
      assert.equal((await updates(id)).length, 1);
      await fixture.remove(id);
    }
  });

  test('of a refused exchange is not kept', async () => {
    const token = await job();
    const other = await trust();
    await keyFor(token);
    await fixture.remove(other);
    await trust();
    await readProblem(await exchange(token), 401, 'identity_token_used');
    assert.deepEqual(await numbers(), [undefined]);
  });

  test('may be given, and refuses a repository that took over the name', async () => {
    await trust({ repositoryId: '4243' });
    await readProblem(await exchange(await job()), 403, 'publisher_not_trusted');
    await readProblem(await exchange(await job({ repository_id: undefined })), 403, 'publisher_not_trusted');
    await keyFor(await job({ repository_id: '4243' }));
    await keyFor(await job({ repository_id: 4243 }));
  });

  test('tells a renamed repository what to do', async () => {
    await trust();
    await keyFor(await job());
    const { detail } = await readProblem(
      await exchange(
        await job({
          repository: 'acme/gpkg',
          workflow_ref: 'acme/gpkg/.github/workflows/publish.yml@refs/tags/v1.2.0',
        }),
      ),
      403,
      'publisher_not_trusted',
    );
    assert.match(detail, /acme\/gpkg, number 4242, .+ the name acme\/import-gpkg: .+ renamed or moved\. Ask a/);
  });
});
