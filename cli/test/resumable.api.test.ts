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

/** Stands before a registry and answers in its place with the status that `refuse` gives; of 200, the end is cut. */
interface Front {
  url: string;
  methods: string[];
  refuse: (method: string) => number | undefined;
  close(): void;
}

async function startFront(target: string): Promise<Front> {
  const server = createServer((request: IncomingMessage, response) => {
    const { method = '', url = '', headers } = request;
    front.methods.push(method);
    const status = front.refuse(method);
    if (status === 200) {
      response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy());
      return;
    }
    if (status !== undefined)
      return void request.resume().on('end', () => {
        response.writeHead(status).end();
      });
    const passed = open(new URL(url, target), { method, headers }, (answer) => {
      // A client that is refused gets to see it, as the registry itself takes care that it does.
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
  const front: Front = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    methods: [],
    refuse: () => undefined,
    close: () => {
      server.close().closeAllConnections();
    },
  };
  return front;
}

describe('a large file on its way to a registry', () => {
  let registry: TestRegistry;
  let front: Front;
  let apiKey: string;
  let file: string;
  before(async () => {
    registry = await startTestRegistry();
    apiKey = await registry.uploadKey();
    front = await startFront(registry.url);
    file = join(registry.scratch, 'large.bin');
    writeFileSync(file, BYTES);
  });
  after(async () => {
    front.close();
    await registry.stop();
  });

  /** What a command would ask for, and all that it heard. */
  function uploadOf(id: string, options: Partial<ResumableUpload> = {}) {
    front.methods.length = 0;
    front.refuse = () => undefined;
    const heard = { urls: new Set<string>(), progress: [] as number[] };
    const upload: ResumableUpload = {
      registryUrl: front.url,
      apiKey,
      file,
      size: BYTES.length,
      url: undefined,
      metadata: { id, format: 'file', category: undefined },
      onUrl: (url) => {
        heard.urls.add(url);
      },
      onProgress: (bytesDone) => {
        heard.progress.push(bytesDone);
      },
      ...options,
    };
    return { upload, heard };
  }

  /** Begins an upload elsewhere, of which some bytes have come. */
  async function begin(id: string, bytes: number): Promise<string> {
    const tus = { 'x-api-key': apiKey, 'tus-resumable': '1.0.0' };
    const endpoint = `${front.url}/api/v1/uploads`;
    const metadata = `id ${encode(id)},format ${encode('file')}`;
    const announced = { ...tus, 'upload-length': String(BYTES.length), 'upload-metadata': metadata };
    const created = await fetch(endpoint, { method: 'POST', headers: announced });
    const url = new URL(created.headers.get('location') ?? '', endpoint).href;
    const headers = { ...tus, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
    await fetch(url, { method: 'PATCH', headers, body: BYTES.subarray(0, bytes) });
    return url;
  }

  test('is announced, sent at once, and told of', async () => {
    const { upload, heard } = uploadOf('plain');
    const artefact = await sendResumably(upload);
    assert.deepEqual([artefact._id, artefact.digest, artefact.fileName], ['plain', DIGEST, 'plain']);
    assert.deepEqual(front.methods, ['POST', 'PATCH', 'GET']);
    assert.equal(heard.urls.size, 1);
    assert.deepEqual([heard.progress[0], heard.progress.at(-1)], [0, BYTES.length]);
  });

  test('goes on with what is there, also where the registry is away at first', async () => {
    const url = await begin('continued', 3 * MIB);
    const { upload, heard } = uploadOf('continued', { url });
    const refused = new Set<string>();
    front.refuse = (method) => {
      if (refused.has(method)) return undefined;
      refused.add(method);
      return 503;
    };
    assert.equal((await sendResumably(upload)).digest, DIGEST);
    assert.deepEqual(front.methods, ['HEAD', 'HEAD', 'PATCH', 'HEAD', 'PATCH', 'GET', 'GET']);
    assert.equal(heard.progress[0], 3 * MIB);
  });

  test('goes on when an answer is cut', async () => {
    const { upload } = uploadOf('cut');
    const cut = new Set(['HEAD']);
    front.refuse = (method) => {
      if (cut.has(method)) return undefined;
      cut.add(method);
      return 200;
    };
    assert.equal((await sendResumably(upload)).digest, DIGEST);
    assert.deepEqual(front.methods, ['POST', 'POST', 'PATCH', 'HEAD', 'PATCH', 'GET', 'GET']);
  });

  test('begins anew where the registry knows the upload no more', async () => {
    const url = `${front.url}/api/v1/uploads/unknown`;
    const { upload, heard } = uploadOf('anew', { url });
    assert.equal((await sendResumably(upload)).digest, DIGEST);
    assert.deepEqual(front.methods, ['HEAD', 'POST', 'PATCH', 'GET']);
    assert.ok(heard.urls.size === 1 && !heard.urls.has(url));
  });

  test('is asked for alone when it was published before its answer came', async () => {
    const url = await begin('published', BYTES.length);
    assert.equal((await sendResumably(uploadOf('published', { url }).upload)).digest, DIGEST);
    assert.deepEqual(front.methods, ['HEAD', 'GET']);
  });

  test('is refused in the words of the registry, once', async () => {
    const { upload } = uploadOf('no-tarball', { metadata: { id: 'no-tarball', format: 'npm' } });
    await assert.rejects(sendResumably(upload), { message: /^(?!tus:).*gzip/ });
    assert.deepEqual(front.methods, ['POST', 'PATCH']);
  });

  test('stops when it is interrupted, and goes on later', async () => {
    const interruption = new AbortController();
    const { upload, heard } = uploadOf('interrupted', { signal: interruption.signal });
    const interrupted = sendResumably({
      ...upload,
      onUrl: (url) => {
        upload.onUrl(url);
        interruption.abort();
      },
    });
    const message = 'interrupted: run it again, it goes on where it stopped';
    await assert.rejects(interrupted, { message });
    await assert.rejects(sendResumably(upload), { message });
    const [url] = heard.urls;
    const { upload: again } = uploadOf('interrupted', { url });
    assert.equal((await sendResumably(again)).digest, DIGEST);
    assert.equal(front.methods.includes('POST'), false);
  });

  test('that is not there any more, or has become shorter, is no reason to wait', async () => {
    const missing = uploadOf('missing', { file: join(registry.scratch, 'missing.bin') });
    await assert.rejects(sendResumably(missing.upload), { code: 'ENOENT' });
    const short = uploadOf('short', { size: BYTES.length + 1 });
    await assert.rejects(sendResumably(short.upload), { message: 'the file has changed while it was uploaded' });
  });
});
