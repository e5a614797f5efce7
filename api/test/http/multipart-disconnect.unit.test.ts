import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { acceptRawBody, createHttpServer, readMultipart } from '../../src/http/index.ts';

const WHOLE = '--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n--b--\r\n';

for (const [what, sent] of [
  ['a part of its form', '--b\r\n'],
  ['its whole form', WHOLE],
] as const) {
  test(`a client that disconnects after sending ${what}, before it is read, fails as upload_aborted`, async () => {
    const app = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
    acceptRawBody(app);
    const failure = Promise.withResolvers<unknown>();
    const arrived = Promise.withResolvers<void>();
    app.post('/', { config: { lateBody: true } }, async (request) => {
      arrived.resolve();
      if (!request.raw.destroyed)
        await new Promise((resolve) => {
          request.raw.once('close', resolve);
        });
      await readMultipart(request, []).next().catch(failure.resolve);
      return {};
    });
    const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
    const head =
      `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n` +
      `content-length: ${WHOLE.length}\r\n\r\n`;
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.write(head + sent);
    });
    await arrived.promise;
    socket.resetAndDestroy();
    assert.equal(((await failure.promise) as { code: string }).code, 'upload_aborted');
    await app.close();
  });
}
