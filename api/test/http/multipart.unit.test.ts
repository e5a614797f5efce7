import assert from 'node:assert/strict';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { setImmediate as tick } from 'node:timers/promises';
import { describe, test, type TestContext } from 'node:test';
import { defineError } from '../../src/errors.ts';
import { acceptRawBody, readMultipart, type FormFile } from '../../src/http/index.ts';
import { eventually } from '../support/eventually.ts';
import {
  BOUNDARY,
  fieldPart,
  filePart,
  multipartBody,
  MULTIPART_TYPE,
  openConnection,
  requestHead,
  type RawPart,
} from '../support/raw-http.ts';
import { startTestApp } from './test-app.ts';

const RefusedError = defineError('test_refused', 409, 'Refused by the test');
const MIB = 1024 * 1024;

interface Received {
  fields: Record<string, string>;
  file: string;
  fileName: string | undefined;
}

const encoded = ({ headers, body }: RawPart, encoding: string): RawPart => ({
  headers: [...headers, `Content-Transfer-Encoding: ${encoding}`],
  body,
});

async function startReceiver(t: TestContext, onFile?: (file: FormFile) => Promise<void>) {
  const outcomes: unknown[] = [];
  const started = await startTestApp(t, {
    routes(app) {
      acceptRawBody(app);
      app.post('/form', { config: { lateBody: true } }, async (request): Promise<Received> => {
        let received: Pick<Received, 'file' | 'fileName'> = { file: '', fileName: '' };
        const keep = async ({ content, fileName }: FormFile) => {
          received = { file: (await buffer(content)).toString(), fileName };
        };
        const fields: Received['fields'] = {};
        try {
          for await (const part of readMultipart(request, ['title', 'category'])) {
            if ('content' in part) await (onFile ?? keep)(part);
            else fields[part.name] = part.text;
          }
        } catch (error) {
          outcomes.push(error);
          throw error;
        }
        outcomes.push('read');
        return { fields, ...received };
      });
    },
  });
  const post = async (body: Uint8Array, contentType: string = MULTIPART_TYPE) => {
    const response = await fetch(`${started.url}/form`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body,
    });
    return {
      status: response.status,
      body: (await response.json()) as Received & { code?: string; errors?: { path: string }[] },
    };
  };
  return { ...started, outcomes, post };
}

describe('a form', () => {
  for (const [order, parts] of Object.entries({
    'first': [filePart('content'), fieldPart('title', 'Été'), fieldPart('category', 'other')],
    'in the middle': [fieldPart('title', 'Été'), filePart('content'), fieldPart('category', 'other')],
    'last': [fieldPart('category', 'other'), fieldPart('title', 'Été'), filePart('content')],
  })) {
    test(`may have the file ${order}`, async (t) => {
      const { post } = await startReceiver(t);
      assert.deepEqual(await post(multipartBody(parts)), {
        status: 200,
        body: { fields: { title: 'Été', category: 'other' }, file: 'content', fileName: 'plugin.tgz' },
      });
    });
  }

  test('may omit every field, and have an empty file', async (t) => {
    const { post } = await startReceiver(t);
    assert.deepEqual((await post(multipartBody([filePart('')]))).body, {
      fields: {},
      file: '',
      fileName: 'plugin.tgz',
    });
  });

  test('has a file name without any path', async (t) => {
    const { post } = await startReceiver(t);
    for (const [sent, expected] of [
      ['/etc/passwd', 'passwd'],
      ['C:\\\\temp\\\\été.tgz', 'été.tgz'],
      ['../../x', 'x'],
      ['', undefined],
    ] as const) {
      assert.equal((await post(multipartBody([filePart('x', { fileName: sent })]))).body.fileName, expected, sent);
    }
  });

  test('is validated to its end, also after the file', async (t) => {
    const { post } = await startReceiver(t);
    const { status, body } = await post(multipartBody([filePart('content'), fieldPart('unknown', 'x')]));
    assert.deepEqual([status, body.code], [400, 'multipart_invalid']);
  });
});

test('a file whose encoded name cannot be read is rejected with that name, on one bounded line', async (t) => {
  const { post } = await startReceiver(t);
  for (const [name, shown] of [
    ["iso-8859-1'en'%A3", "iso-8859-1'en'%A3"],
    ["UTF-8''%E5%8A", "UTF-8''%E5%8A"],
    [`"UTF-8''%zz\u202e${'x'.repeat(5000)}"`, `UTF-8''%zz${'x'.repeat(89)}…`],
  ] as const) {
    const { status, body } = await post(
      multipartBody([{ headers: [`Content-Disposition: form-data; name="file"; filename*=${name}`], body: 'x' }]),
    );
    assert.deepEqual([status, body.code, body.errors?.[0]?.path], [400, 'multipart_invalid', '/file']);
    const { detail = '' } = body as { detail?: string };
    assert.match(detail, /^The name of the file cannot be read, filename\*=[^\p{C}]{1,300}percent-encoded UTF-8\.$/u);
    assert.ok(detail.includes(`="${shown}"`), detail);
  }
});

test('a part whose transfer encoding changes nothing is accepted', async (t) => {
  const { post } = await startReceiver(t);
  for (const encoding of ['binary', '8bit', '7BIT', '']) {
    const { status, body } = await post(multipartBody([encoded(filePart('x'), encoding)]));
    assert.deepEqual([status, body.file], [200, 'x'], encoding);
  }
});

describe('a form is rejected', () => {
  const rejected: Record<string, [parts: RawPart[], path?: string]> = {
    'without a file': [[fieldPart('title', 'x')]],
    'with nothing in it': [[]],
    'with two files': [[filePart('one'), filePart('two')]],
    'with a file in another field': [[filePart('x', { name: 'tarball' })], '/tarball'],
    'with the file as text': [[fieldPart('file', 'x')], '/file'],
    'with an unknown field': [[fieldPart('colour', 'x'), filePart('x')], '/colour'],
    'with a field named as a property of every object': [[fieldPart('__proto__', 'x'), filePart('x')], '/__proto__'],
    'with a field twice': [[fieldPart('title', 'x'), fieldPart('title', 'x'), filePart('x')]],
    'with a field over 64 KiB': [[fieldPart('title', 'x'.repeat(64 * 1024 + 1)), filePart('x')]],
    'with a part without a name': [[{ headers: ['content-disposition: form-data'], body: 'x' }, filePart('x')]],
    'with a file in base64': [[encoded(filePart('aGVsbG8='), 'base64')], '/file'],
    'with a file in another encoding': [[encoded(filePart('x'), 'Quoted-Printable ')], '/file'],
    'with an encoded field': [[encoded(fieldPart('title', 'eA=='), 'BASE64'), filePart('x')], '/title'],
  };
  for (const [why, [parts, path]] of Object.entries(rejected)) {
    test(why, async (t) => {
      const { post } = await startReceiver(t);
      const { status, body } = await post(multipartBody(parts));
      assert.deepEqual([status, body.code], [400, 'multipart_invalid']);
      if (path)
        assert.deepEqual(
          body.errors?.map((error) => error.path),
          [path],
        );
    });
  }

  test('without its final boundary', async (t) => {
    const { post } = await startReceiver(t);
    const whole = multipartBody([filePart('content'), fieldPart('title', 'x')]);
    for (const cut of [whole.length - 8, whole.length - 60, 150, 60, 0]) {
      const { status, body } = await post(whole.subarray(0, cut));
      assert.deepEqual([status, body.code], [400, 'multipart_invalid'], `cut at ${cut}`);
    }
  });

  test('that is not multipart, or names no boundary', async (t) => {
    const { post } = await startReceiver(t);
    assert.deepEqual((await post(Buffer.from('garbage'))).body.code, 'multipart_invalid');
    assert.deepEqual(
      (await post(multipartBody([filePart('x')]), 'multipart/form-data')).body.code,
      'multipart_invalid',
    );
    assert.deepEqual(
      (await post(multipartBody([filePart('x')]), 'multipart/form-data; boundary=another')).body.code,
      'multipart_invalid',
    );
  });

  test('with another content type', async (t) => {
    const { post } = await startReceiver(t);
    for (const type of [
      'application/json',
      'application/x-www-form-urlencoded',
      'multipart/mixed; boundary=x',
      'application/octet-stream',
    ]) {
      const { status, body } = await post(Buffer.from('{}'), type);
      assert.deepEqual([status, body.code], [400, 'multipart_invalid'], type);
    }
  });
});

test('a form with a refused file gets a response immediately, before the rest arrives', async (t) => {
  const { url } = await startReceiver(t, async () => {
    throw new RefusedError('No.');
  });
  const connection = await openConnection(url);
  await connection.send(
    requestHead('POST', '/form', { 'content-type': MULTIPART_TYPE, 'content-length': 1024 * MIB }),
  );
  await connection.send(multipartBody([filePart('x'.repeat(1000))], ''));
  const { status, headers } = await connection.answer();
  assert.deepEqual([status, headers['connection']], [409, 'close']);
  connection.end();
});

test('a client that disconnects makes the file stream fail', async (t) => {
  let failure: unknown;
  const { url, outcomes } = await startReceiver(t, async ({ content }) => {
    await buffer(content).catch((error: unknown) => {
      failure = error;
      throw error;
    });
  });
  const connection = await openConnection(url);
  await connection.send(requestHead('POST', '/form', { 'content-type': MULTIPART_TYPE, 'content-length': MIB }));
  await connection.send(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nbytes`);
  await tick();
  connection.end();
  await eventually(async () => assert.equal((outcomes[0] as { code?: string } | undefined)?.code, 'upload_aborted'));
  assert.equal((failure as { code?: string }).code, 'upload_aborted');
});

test('a slow reader of the file slows down the body (backpressure)', async (t) => {
  const proceed = Promise.withResolvers<void>();
  const { url, app } = await startReceiver(t, async ({ content }) => {
    await proceed.promise;
    await content.resume().toArray();
  });
  const [socket] = [once(app.server, 'connection')];
  const connection = await openConnection(url);
  const [serverSocket] = (await socket) as [{ bytesRead: number }];
  const body = multipartBody([filePart(Buffer.alloc(64 * MIB))]);
  await connection.send(
    requestHead('POST', '/form', { 'content-type': MULTIPART_TYPE, 'content-length': body.length }),
  );
  const sent = connection.send(body);
  // Bytes stop arriving once every buffer on the way is full.
  let bytesRead = -1;
  await eventually(async () => {
    const before = bytesRead;
    bytesRead = serverSocket.bytesRead;
    assert.ok(bytesRead > 0 && bytesRead === before);
  });
  assert.ok(bytesRead < 16 * MIB, `${bytesRead} bytes were read`);
  proceed.resolve();
  await sent;
  assert.equal((await connection.answer()).status, 200);
  connection.end();
});
