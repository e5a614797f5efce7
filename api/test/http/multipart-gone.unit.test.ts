import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { acceptMultipart, createHttpServer, readMultipart } from '../../src/http/index.ts';

test('a client that leaves before its form is read is told as such, and not waited for', async () => {
  const app = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
  acceptMultipart(app);
  let told: (error: unknown) => void = () => assert.fail('nobody waits yet');
  const failure = new Promise<unknown>((resolve) => { told = resolve; });
  app.post('/', { config: { lateBody: true } }, async (request) => {
    if (!request.raw.destroyed) await new Promise((resolve) => { request.raw.once('close', resolve); });
    await readMultipart(request, []).next().catch(told);
    return {};
  });
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
  const socket = connect(Number(port), '127.0.0.1', () => {
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 1000\r\n\r\n--b\r\n', () => { socket.resetAndDestroy(); });
  });
  assert.equal((await failure as { code: string }).code, 'upload_aborted');
  await app.close();
});
