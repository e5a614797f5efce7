import assert from 'node:assert/strict';
import test from 'node:test';
import { getArtefact, listArtefacts } from '../dist/index.js';
import { dropping, failing, hanging, onRequests, redirecting } from './support/misbehaviours.ts';
import { packPackage } from './support/tarballs.ts';
import { ID, makeRegistry } from './support/setting.ts';

const TARBALL = packPackage('1.0.0');

test('documents are read below the base path, with the id as one encoded segment', async (t) => {
  const registry = await makeRegistry(t, { basePath: '/tools/registry' });
  registry.publish(ID, { noarch: TARBALL });
  const document = await getArtefact({ registryUrl: `${registry.url}/`, artefactId: ID });
  assert.equal(document._id, ID);
  assert.equal(registry.requests[0]?.url, '/tools/registry/api/v1/artefacts/%40acme%2Fsample%401');
});

test('a list passes its filters on, and returns results with their count', async (t) => {
  const registry = await makeRegistry(t);
  registry.publish(ID, { noarch: TARBALL });
  const list = await listArtefacts({
    registryUrl: registry.url,
    q: 'été & co',
    includeDeprecated: true,
    sort: '-name',
    skip: 0,
    size: 5,
  });
  assert.equal(list.count, 1);
  assert.equal(list.results[0]?._id, ID);
  const query = new URL(registry.requests[0]?.url ?? '', registry.url).searchParams;
  assert.deepEqual(Object.fromEntries(query), {
    q: 'été & co',
    includeDeprecated: 'true',
    sort: '-name',
    skip: '0',
    size: '5',
  });
});

test('the secret, the key and the account are sent as headers, the account in ASCII', async (t) => {
  const registry = await makeRegistry(t);
  registry.publish(ID, { noarch: TARBALL });
  const account = { type: 'organization', id: 'société-日本', department: 'géo', name: 'not sent' } as const;
  await getArtefact({ registryUrl: registry.url, artefactId: ID, secretKey: 'internal', account });
  await getArtefact({ registryUrl: registry.url, artefactId: ID, apiKey: 'reg_1' });
  const [first, second] = registry.requests.map(({ headers }) => headers);
  assert.equal(first?.['x-secret-key'], 'internal');
  assert.match(String(first?.['x-account']), /^[\x20-\x7e]+$/);
  assert.deepEqual(JSON.parse(String(first?.['x-account'])), {
    type: 'organization',
    id: 'société-日本',
    department: 'géo',
  });
  assert.equal(second?.['x-api-key'], 'reg_1');
  assert.equal(second?.['x-account'], undefined);
});

test('401, 403 and 404 are not retried, and have status, code and artefact', async (t) => {
  const registry = await makeRegistry(t);
  for (const [status, code] of [
    [401, 'key_expired'],
    [403, 'key_scope'],
    [404, 'artefact_not_found'],
  ] as const) {
    registry.requests.length = 0;
    registry.misbehave(failing(status, code));
    await assert.rejects(getArtefact({ registryUrl: registry.url, artefactId: ID }), {
      name: 'RegistryError',
      status,
      code,
      artefactId: ID,
      message: new RegExp(`because ${code}`),
    });
    assert.equal(registry.requests.length, 1);
  }
});

test('a refusal without a problem document has a code from its status', async (t) => {
  const registry = await makeRegistry(t);
  registry.misbehave((_request, response) => {
    response.writeHead(403, { 'content-type': 'text/html' }).end('<h1>no</h1>');
    return true;
  });
  await assert.rejects(getArtefact({ registryUrl: registry.url, artefactId: ID }), { status: 403, code: 'http_403' });
});

test('408, 429, 5xx, lost and idle connections are retried', async (t) => {
  const registry = await makeRegistry(t);
  registry.publish(ID, { noarch: TARBALL });
  for (const misbehaviour of [
    failing(408, 'slow'),
    failing(429, 'busy', { 'retry-after': '0' }),
    failing(500, 'broken'),
    failing(503, 'away'),
    dropping(),
    hanging(),
  ]) {
    registry.requests.length = 0;
    registry.misbehave(onRequests('', 1, misbehaviour));
    assert.equal((await getArtefact({ registryUrl: registry.url, artefactId: ID, timeoutMs: 1500 }))._id, ID);
    assert.equal(registry.requests.length, 2);
  }
});

test('retries are limited, and the last refusal is thrown', async (t) => {
  const registry = await makeRegistry(t);
  registry.misbehave(failing(503, 'away'));
  await assert.rejects(getArtefact({ registryUrl: registry.url, artefactId: ID, retries: 2 }), {
    status: 503,
    code: 'away',
  });
  assert.equal(registry.requests.length, 3);
});

test('Retry-After, in seconds or as a date, is reported in milliseconds and respected', async (t) => {
  const registry = await makeRegistry(t);
  registry.publish(ID, { noarch: TARBALL });
  registry.misbehave(failing(429, 'busy', { 'retry-after': '7' }));
  await assert.rejects(getArtefact({ registryUrl: registry.url, artefactId: ID, retries: 0 }), {
    status: 429,
    retryAfterMs: 7000,
  });
  registry.misbehave(failing(503, 'away', { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }));
  await assert.rejects(getArtefact({ registryUrl: registry.url, artefactId: ID, retries: 0 }), {
    status: 503,
    retryAfterMs: 0,
  });
  registry.misbehave(onRequests('', 1, failing(429, 'busy', { 'retry-after': '1' })));
  const before = Date.now();
  await getArtefact({ registryUrl: registry.url, artefactId: ID });
  assert.ok(Date.now() - before >= 990);
});

test('a registry without a server is unreachable', async (t) => {
  const registry = await makeRegistry(t);
  await registry.close();
  await assert.rejects(getArtefact({ registryUrl: registry.url, artefactId: ID, retries: 0 }), {
    name: 'RegistryError',
    status: 0,
    code: 'unreachable',
    artefactId: ID,
    message: /ECONNREFUSED/,
  });
});

test('a response that is not an artefact is refused', async (t) => {
  const registry = await makeRegistry(t);
  for (const body of ['<html>', '[]', 'null', '{"ok":true}']) {
    registry.misbehave((_request, response) => {
      response.end(body);
      return true;
    });
    await assert.rejects(getArtefact({ registryUrl: registry.url, artefactId: ID }), {
      status: 200,
      code: 'bad_answer',
    });
    await assert.rejects(listArtefacts({ registryUrl: registry.url }), { status: 200, code: 'bad_answer' });
  }
});

test('a redirect within the origin keeps the credentials, one to another origin drops them for good', async (t) => {
  const registry = await makeRegistry(t);
  const elsewhere = await makeRegistry(t);
  registry.publish(ID, { noarch: TARBALL });
  const credentials = { secretKey: 'internal', account: { type: 'user', id: 'ada' } } as const;

  registry.misbehave(
    onRequests(
      '',
      1,
      redirecting((request) => `${request.url}?moved`),
    ),
  );
  await getArtefact({ registryUrl: registry.url, artefactId: ID, ...credentials });
  assert.equal(registry.requests[1]?.headers['x-secret-key'], 'internal');

  registry.requests.length = 0;
  registry.misbehave(
    onRequests(
      '',
      1,
      redirecting((request) => elsewhere.origin + request.url),
    ),
  );
  elsewhere.misbehave(redirecting((request) => registry.origin + request.url));
  await getArtefact({ registryUrl: registry.url, artefactId: ID, ...credentials });
  const [first, back] = registry.requests;
  assert.equal(first?.headers['x-secret-key'], 'internal');
  for (const headers of [elsewhere.requests[0]?.headers, back?.headers]) {
    assert.ok(headers !== undefined);
    for (const name of ['x-secret-key', 'x-api-key', 'x-account', 'authorization', 'cookie'])
      assert.equal(headers[name], undefined);
  }
});

test('the same host under another name, port or scheme is another origin', async (t) => {
  const registry = await makeRegistry(t);
  for (const location of [
    `${registry.origin.replace('127.0.0.1', 'localhost')}/x`,
    `${registry.origin.replace('http:', 'https:')}/x`,
  ]) {
    registry.misbehave((request, response) => {
      if (request.url === '/x') response.end('{"_id":"x"}');
      else response.writeHead(307, { location }).end();
      return true;
    });
    await getArtefact({ registryUrl: registry.url, artefactId: ID, secretKey: 'internal', retries: 0 }).catch(
      () => undefined,
    );
  }
  assert.ok(registry.requests.some(({ url }) => url === '/x'));
  assert.ok(
    registry.requests.every(({ url, headers }) =>
      url === '/x' ? headers['x-secret-key'] === undefined : headers['x-secret-key'] === 'internal',
    ),
  );
});

test('endless and invalid redirects are refused', async (t) => {
  const registry = await makeRegistry(t);
  for (const location of ['/again', '', 'ftp://files/x', 'http://user:pass@127.0.0.1/']) {
    registry.requests.length = 0;
    registry.misbehave(redirecting(() => location));
    await assert.rejects(getArtefact({ registryUrl: registry.url, artefactId: ID }), {
      code: 'redirect_refused',
      artefactId: ID,
    });
    assert.equal(registry.requests.length, location === '/again' ? 6 : 1);
  }
});

test('a signal aborts the call with its own reason, also between two attempts', async (t) => {
  const registry = await makeRegistry(t);
  const reason = new Error('enough');
  for (const misbehaviour of [hanging(), failing(503, 'away', { 'retry-after': '60' })]) {
    const controller = new AbortController();
    registry.misbehave((request, response) => {
      setTimeout(() => {
        controller.abort(reason);
      }, 50);
      return misbehaviour(request, response);
    });
    await assert.rejects(
      getArtefact({ registryUrl: registry.url, artefactId: ID, signal: controller.signal }),
      reason,
    );
  }
  await assert.rejects(
    getArtefact({ registryUrl: registry.url, artefactId: ID, signal: AbortSignal.abort(reason) }),
    reason,
  );
});
