import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { publishArtefact } from '../dist/index.js';
import type { Progress } from '../dist/index.js';
import { dropping, failing, hanging, onRequests, redirecting } from './support/misbehaviours.ts';
import { ID, makeDirectory, makeRegistry } from './support/setting.ts';
import { incompressible, packPackage } from './support/tarballs.ts';

const TARBALL = packPackage('1.0.0', { 'data.bin': incompressible(2_000_000) });

/** Parses a multipart body with the platform's parser. */
async function parseForm(
  body: Buffer,
  contentType: string | undefined,
): Promise<{ fields: Record<string, string>; file: { name: string; bytes: Buffer } }> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType ?? '' } }).formData();
  const file = form.get('file');
  assert.ok(file !== null && typeof file !== 'string');
  form.delete('file');
  return {
    fields: Object.fromEntries(form) as Record<string, string>,
    file: { name: file.name, bytes: Buffer.from(await file.arrayBuffer()) },
  };
}

async function makeTarball(t: Parameters<typeof makeDirectory>[0], name = 'sample-1.0.0.tgz'): Promise<string> {
  const path = join(await makeDirectory(t), name);
  await writeFile(path, TARBALL.bytes);
  return path;
}

test('an npm tarball is sent from its path, with its fields and its length', async (t) => {
  const registry = await makeRegistry(t, { basePath: '/registry' });
  const reported: Progress[] = [];
  const artefact = await publishArtefact({
    registryUrl: registry.url,
    apiKey: 'reg_up',
    artefactId: ID,
    file: await makeTarball(t),
    architecture: 'x64',
    category: 'processing',
    title: { fr: 'Exemple été', en: 'Sample' },
    description: { en: 'says "hello"' },
    onProgress: (progress) => {
      reported.push(progress);
    },
  });
  assert.deepEqual(artefact, { _id: ID, format: 'npm' });
  const [request] = registry.requests;
  assert.equal(request?.method, 'POST');
  assert.equal(request.url, '/registry/api/v1/artefacts/npm/%40acme%2Fsample%401');
  assert.equal(request.headers['x-api-key'], 'reg_up');
  assert.equal(Number(request.headers['content-length']), request.body.length);
  const { fields, file } = await parseForm(request.body, request.headers['content-type']);
  assert.deepEqual(fields, {
    architecture: 'x64',
    category: 'processing',
    title: '{"fr":"Exemple été","en":"Sample"}',
    description: JSON.stringify({ en: 'says "hello"' }),
  });
  assert.equal(file.name, 'sample-1.0.0.tgz');
  assert.deepEqual(file.bytes, TARBALL.bytes);
  assert.deepEqual(reported.at(-1), {
    phase: 'upload',
    bytesDone: TARBALL.bytes.length,
    bytesTotal: TARBALL.bytes.length,
  });
  assert.ok(reported.length > 1);
});

test('a stream is sent without a length', async (t) => {
  const registry = await makeRegistry(t);
  await publishArtefact({
    registryUrl: registry.url,
    secretKey: 'internal',
    artefactId: ID,
    file: createReadStream(await makeTarball(t)),
  });
  const [request] = registry.requests;
  assert.equal(request?.headers['content-length'], undefined);
  assert.equal(request?.headers['x-secret-key'], 'internal');
  assert.deepEqual(
    (await parseForm(request?.body ?? Buffer.alloc(0), request?.headers['content-type'])).file.bytes,
    TARBALL.bytes,
  );
});

test('a file artefact is sent with its name, including special characters', async (t) => {
  const registry = await makeRegistry(t);
  const path = await makeTarball(t, 'a "b" é.bin');
  await publishArtefact({ registryUrl: registry.url, artefactId: 'maps', format: 'file', file: path });
  await publishArtefact({
    registryUrl: registry.url,
    artefactId: 'maps',
    format: 'file',
    file: path,
    fileName: 'map.pmtiles',
  });
  const [first, second] = await Promise.all(
    registry.requests.map(({ body, headers }) => parseForm(body, headers['content-type'])),
  );
  assert.equal(registry.requests[0]?.url, '/api/v1/artefacts/file/maps');
  assert.equal(first?.file.name.replaceAll('%22', '"'), 'a "b" é.bin');
  assert.deepEqual([second?.file.name, second?.fields], ['map.pmtiles', { fileName: 'map.pmtiles' }]);
});

test('an empty file is sent', async (t) => {
  const registry = await makeRegistry(t);
  const path = join(await makeDirectory(t), 'empty');
  await writeFile(path, '');
  await publishArtefact({ registryUrl: registry.url, artefactId: 'empty', format: 'file', file: path });
  assert.equal(
    (await parseForm(registry.requests[0]?.body ?? Buffer.alloc(0), registry.requests[0]?.headers['content-type']))
      .file.bytes.length,
    0,
  );
});

test('an early refusal is thrown with its code, and no body is sent', async (t) => {
  const registry = await makeRegistry(t);
  let bodyBytes = 0;
  const server = createServer();
  server.on('checkContinue', (request, response) => {
    request.on('data', (chunk: Buffer) => {
      bodyBytes += chunk.length;
    });
    response
      .writeHead(403, { 'content-type': 'application/problem+json', 'connection': 'close' })
      .end('{"code":"key_scope","detail":"another name"}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    server.close();
  });
  const registryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await assert.rejects(publishArtefact({ registryUrl, artefactId: ID, file: await makeTarball(t) }), {
    name: 'RegistryError',
    status: 403,
    code: 'key_scope',
    artefactId: ID,
    message: /another name/,
  });
  assert.equal(bodyBytes, 0);
  assert.equal(registry.requests.length, 0);
});

test('a refusal during the body is thrown with its code', async (t) => {
  const registry = await makeRegistry(t);
  registry.misbehave((request, response) => {
    request.once('data', () => {
      failing(413, 'too_large', { connection: 'close' })(request, response);
      request.resume();
    });
    return true;
  });
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) yield await Promise.resolve(Buffer.alloc(65_536));
  }
  await assert.rejects(publishArtefact({ registryUrl: registry.url, artefactId: ID, file: endless() }), {
    status: 413,
    code: 'too_large',
  });
});

test('a file is sent again after a transient failure, a stream is not', async (t) => {
  const registry = await makeRegistry(t);
  const path = await makeTarball(t);
  for (const misbehaviour of [failing(503, 'away'), dropping()]) {
    registry.requests.length = 0;
    registry.misbehave(onRequests('', 1, misbehaviour));
    await publishArtefact({ registryUrl: registry.url, artefactId: ID, file: path });
    assert.equal(registry.requests.length, 2);
    assert.deepEqual(
      (await parseForm(registry.requests[1]?.body ?? Buffer.alloc(0), registry.requests[1]?.headers['content-type']))
        .file.bytes,
      TARBALL.bytes,
    );
    registry.misbehave(onRequests('', 1, misbehaviour));
    await assert.rejects(
      publishArtefact({ registryUrl: registry.url, artefactId: ID, file: createReadStream(path) }),
      { name: 'RegistryError' },
    );
  }
});

test('a redirect is not followed with a body', async (t) => {
  const registry = await makeRegistry(t);
  registry.misbehave(redirecting(() => 'http://127.0.0.1:9/elsewhere'));
  await assert.rejects(publishArtefact({ registryUrl: registry.url, artefactId: ID, file: await makeTarball(t) }), {
    status: 302,
    code: 'redirect_refused',
  });
});

test('a response that is not an artefact is refused', async (t) => {
  const registry = await makeRegistry(t);
  for (const body of ['<html>', 'null', '{}']) {
    registry.misbehave((request, response) => {
      request.resume().on('end', () => response.end(body));
      return true;
    });
    await assert.rejects(publishArtefact({ registryUrl: registry.url, artefactId: ID, file: await makeTarball(t) }), {
      status: 200,
      code: 'bad_answer',
    });
  }
});

test('a missing file, a failing source and a signal reject with their own error', async (t) => {
  const registry = await makeRegistry(t);
  await assert.rejects(publishArtefact({ registryUrl: registry.url, artefactId: ID, file: '/nowhere/x.tgz' }), {
    code: 'ENOENT',
  });
  assert.equal(registry.requests.length, 0);

  const failure = new Error('the source is gone');
  async function* failingSource(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.alloc(10));
    throw failure;
  }
  await assert.rejects(publishArtefact({ registryUrl: registry.url, artefactId: ID, file: failingSource() }), failure);

  const controller = new AbortController();
  const reason = new Error('enough');
  registry.misbehave((request, response) => {
    controller.abort(reason);
    return hanging()(request, response);
  });
  await assert.rejects(
    publishArtefact({
      registryUrl: registry.url,
      artefactId: ID,
      file: await makeTarball(t),
      signal: controller.signal,
    }),
    reason,
  );
});
