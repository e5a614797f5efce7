import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, request as open, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sendResumably, type ResumableUpload } from '../src/resumable.ts';
import { startTestRegistry, type TestRegistry } from './test-registry.ts';

const MIB = 1024 * 1024;
const BYTES = randomBytes(8 * MIB);
const DIGEST = `sha256:${createHash('sha256').update(BYTES).digest('hex')}`;
const encode = (text: string) => Buffer.from(text).toString('base64');

/** A proxy that responds itself with the status that `refuse` returns, if any; a 200 is truncated. */
interface Proxy {
  url: string;
  methods: string[];
  refuse: (method: string) => number | undefined;
  close(): void;
}

async function startProxy(target: string): Promise<Proxy> {
  const server = createServer((request: IncomingMessage, response) => {
    const { method = '', url = '', headers } = request;
    proxy.methods.push(method);
    const status = proxy.refuse(method);
    if (status === 200) {
      response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy());
      return;
    }
    if (status !== undefined)
      return void request.resume().on('end', () => {
        response.writeHead(status).end();
      });
    const passed = open(new URL(url, target), { method, headers }, (answer) => {
      // As the registry does: drain the request, so that the client can read a refusal.
      request.unpipe(passed).resume();
      response.writeHead(answer.statusCode ?? 0, { ...answer.headers, connection: 'keep-alive' });
      answer.pipe(response);
    });
    passed.on('error', () => response.destroy());
    response.on('close', () => {
      if (!response.writableFinished) passed.destroy();
    });
    request.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    methods: [],
    refuse: () => undefined,
    close: () => {
      server.close().closeAllConnections();
    },
  };
  return proxy;
}

describe('the resumable upload of a file', () => {
  let registry: TestRegistry;
  let proxy: Proxy;
  let apiKey: string;
  let file: string;
  before(async () => {
    registry = await startTestRegistry();
    apiKey = await registry.uploadKey();
    proxy = await startProxy(registry.url);
    file = join(registry.scratch, 'large.bin');
    writeFileSync(file, BYTES);
  });
  after(async () => {
    proxy.close();
    await registry.stop();
  });

  /** Makes an upload, and records its callbacks. */
  function makeUpload(id: string, options: Partial<ResumableUpload> = {}) {
    proxy.methods.length = 0;
    proxy.refuse = () => undefined;
    const recorded = { urls: new Set<string>(), progress: [] as number[] };
    const upload: ResumableUpload = {
      registryUrl: proxy.url,
      apiKey,
      file,
      size: BYTES.length,
      url: undefined,
      metadata: { id, format: 'file', category: undefined },
      onUrl: (url) => {
        recorded.urls.add(url);
      },
      onProgress: (bytesDone) => {
        recorded.progress.push(bytesDone);
      },
      ...options,
    };
    return { upload, recorded };
  }

  /** Starts an upload with another client, which sends the first bytes. */
  async function startUpload(id: string, bytes: number): Promise<string> {
    const tus = { 'x-api-key': apiKey, 'tus-resumable': '1.0.0' };
    const endpoint = `${proxy.url}/api/v1/uploads`;
    const metadata = `id ${encode(id)},format ${encode('file')}`;
    const creation = { ...tus, 'upload-length': String(BYTES.length), 'upload-metadata': metadata };
    const created = await fetch(endpoint, { method: 'POST', headers: creation });
    const url = new URL(created.headers.get('location') ?? '', endpoint).href;
    const headers = { ...tus, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
    await fetch(url, { method: 'PATCH', headers, body: BYTES.subarray(0, bytes) });
    return url;
  }

  test('creates the upload, sends it in one request and reads the result', async () => {
    const { upload, recorded } = makeUpload('plain');
    const artefact = await sendResumably(upload);
    assert.deepEqual([artefact._id, artefact.digest, artefact.fileName], ['plain', DIGEST, 'plain']);
    assert.deepEqual(proxy.methods, ['POST', 'PATCH', 'GET']);
    assert.equal(recorded.urls.size, 1);
    assert.deepEqual([recorded.progress[0], recorded.progress.at(-1)], [0, BYTES.length]);
  });

  test('resumes an earlier upload, after retries while the registry is unavailable', async () => {
    const url = await startUpload('continued', 3 * MIB);
    const { upload, recorded } = makeUpload('continued', { url });
    const refused = new Set<string>();
    proxy.refuse = (method) => {
      if (refused.has(method)) return undefined;
      refused.add(method);
      return 503;
    };
    assert.equal((await sendResumably(upload)).digest, DIGEST);
    assert.deepEqual(proxy.methods, ['HEAD', 'HEAD', 'PATCH', 'HEAD', 'PATCH', 'GET', 'GET']);
    assert.equal(recorded.progress[0], 3 * MIB);
  });

  test('retries after a truncated response', async () => {
    const { upload } = makeUpload('cut');
    const cut = new Set(['HEAD']);
    proxy.refuse = (method) => {
      if (cut.has(method)) return undefined;
      cut.add(method);
      return 200;
    };
    assert.equal((await sendResumably(upload)).digest, DIGEST);
    assert.deepEqual(proxy.methods, ['POST', 'POST', 'PATCH', 'HEAD', 'PATCH', 'GET', 'GET']);
  });

  test('starts over if the registry no longer has the upload', async () => {
    const url = `${proxy.url}/api/v1/uploads/unknown`;
    const { upload, recorded } = makeUpload('restarted', { url });
    assert.equal((await sendResumably(upload)).digest, DIGEST);
    assert.deepEqual(proxy.methods, ['HEAD', 'POST', 'PATCH', 'GET']);
    assert.ok(recorded.urls.size === 1 && !recorded.urls.has(url));
  });

  test('only reads the result if the upload was already published', async () => {
    const url = await startUpload('published', BYTES.length);
    assert.equal((await sendResumably(makeUpload('published', { url }).upload)).digest, DIGEST);
    assert.deepEqual(proxy.methods, ['HEAD', 'GET']);
  });

  test('reports the refusal of the registry, without a retry', async () => {
    const { upload } = makeUpload('no-tarball', { metadata: { id: 'no-tarball', format: 'npm' } });
    await assert.rejects(sendResumably(upload), { message: /^(?!tus:).*gzip/ });
    assert.deepEqual(proxy.methods, ['POST', 'PATCH']);
  });

  test('stops on its signal, and can be resumed', async () => {
    const interruption = new AbortController();
    const { upload, recorded } = makeUpload('interrupted', { signal: interruption.signal });
    const interrupted = sendResumably({
      ...upload,
      onUrl: (url) => {
        upload.onUrl(url);
        interruption.abort();
      },
    });
    const message = 'interrupted: run the command again to continue';
    await assert.rejects(interrupted, { message });
    await assert.rejects(sendResumably(upload), { message });
    const [url] = recorded.urls;
    const { upload: again } = makeUpload('interrupted', { url });
    assert.equal((await sendResumably(again)).digest, DIGEST);
    assert.equal(proxy.methods.includes('POST'), false);
  });

  test('fails without a retry if the file is missing or has become shorter', async () => {
    const missing = makeUpload('missing', { file: join(registry.scratch, 'missing.bin') });
    await assert.rejects(sendResumably(missing.upload), { code: 'ENOENT' });
    const short = makeUpload('short', { size: BYTES.length + 1 });
    await assert.rejects(sendResumably(short.upload), { message: 'the file changed during the upload' });
  });
});
