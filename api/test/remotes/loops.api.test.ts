import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { addRemote, documentOf, publish, resultOf, share, type RemoteClient } from './pair.ts';

const READER = { type: 'organization', id: 'mirrors' } as const;
const ALL = { selectedPatterns: ['**'] };

let ring: TestServer[];
let remotes: RemoteClient[];

/** A ring: each registry mirrors everything of the previous one. */
before(async () => {
  ring = await Promise.all(
    ['one', 'two', 'three'].map((name) => startTestServer({ env: { PUBLIC_URL: `http://${name}.example.org` } })),
  );
  remotes = await Promise.all(
    ring.map(async (server, index) => {
      const previous = ring.at(index - 1)!;
      return addRemote(server, previous.url, await previous.readKey(READER), ALL);
    }),
  );
});
after(async () => {
  await Promise.all(ring.map((server) => server.close()));
});

test('a ring of mirrors passes an artefact on once, does not change the original, and becomes stable', async () => {
  const [first, second, third] = ring as [TestServer, TestServer, TestServer];
  const [ofFirst, ofSecond, ofThird] = remotes as [RemoteClient, RemoteClient, RemoteClient];
  await publish(first, 'ring@1', '1.0.0');
  await ofSecond.sync();
  await share(second, 'ring@1');
  await ofThird.sync();
  await share(third, 'ring@1');
  const original = await documentOf(first, 'ring@1');

  assert.equal(resultOf(await ofFirst.sync(), 'ring@1').status, 'skipped');
  assert.deepEqual(await documentOf(first, 'ring@1'), original);
  assert.equal((await documentOf(third, 'ring@1'))?.['origin'], second.url);
  for (const remote of [ofSecond, ofThird]) assert.equal(resultOf(await remote.sync(), 'ring@1').status, 'unchanged');

  await publish(first, 'ring@1', '1.0.1');
  for (const remote of [ofSecond, ofThird, ofFirst]) await remote.sync();
  assert.deepEqual(
    (await Promise.all(ring.map((server) => documentOf(server, 'ring@1')))).map((document) => document?.['version']),
    ['1.0.1', '1.0.1', '1.0.1'],
  );
  assert.equal((await documentOf(first, 'ring@1'))?.['origin'], undefined);
});
