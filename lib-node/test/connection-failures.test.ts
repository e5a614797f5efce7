// What is at the address instead of a registry: each has one sentence with the address and what to do.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { getArtefact, publishArtefact } from '../dist/index.js';
import { ID, makeDirectory, makeRegistry } from './support/setting.ts';
import { makeCertificate, startTls } from './support/tls.ts';

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const answering = (status: number, type: string, text: string) =>
  createHttpServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status, { 'content-type': type }).end(text));
  });

/** Each gives the address and the end of the sentence. */
const situations: Record<string, (t: TestContext) => Promise<[url: string, message: string | RegExp]>> = {
  'TLS where there is none': async (t) => {
    const port = await listen(t, answering(200, 'text/html', ''));
    return [`https://127.0.0.1:${port}`, `it answers no TLS; did you mean http://127.0.0.1:${port}?`];
  },
  'no TLS where it is required, and the server closes': async (t) => {
    const { port, close } = await startTls(makeCertificate(await makeDirectory(t), 'localhost'), 1);
    t.after(close);
    const hint = `try again, or https://localhost:${port} if it requires TLS`;
    return [`http://localhost:${port}`, `it closed the connection without an answer; ${hint}`];
  },
  'no TLS where it is required, and the server says so': async (t) => {
    const text = '<html><head><title>400 The plain HTTP request was sent to HTTPS port</title>';
    const port = await listen(t, answering(400, 'text/html', text));
    return [`http://127.0.0.1:${port}`, `it requires TLS; did you mean https://127.0.0.1:${port}?`];
  },
  'another protocol': async (t) => {
    const port = await listen(
      t,
      createServer((socket) => socket.end('220 mail.example.org ESMTP\r\n')),
    );
    return [`http://127.0.0.1:${port}`, `it answers no HTTP; did you mean https://127.0.0.1:${port}?`];
  },
  'a certificate of an unknown authority': async (t) => {
    const { port, close } = await startTls(makeCertificate(await makeDirectory(t), 'localhost'), 1);
    t.after(close);
    const reason = 'its certificate is of an unknown authority (DEPTH_ZERO_SELF_SIGNED_CERT)';
    return [`https://localhost:${port}`, `${reason}; name the authority's file in NODE_EXTRA_CA_CERTS`];
  },
  'no such host': () =>
    Promise.resolve([
      'http://registry.invalid',
      /there is no host registry\.invalid \(ENOTFOUND\); check the address, or set HTTPS_PROXY if /,
    ]),
  'nothing there': async (t) => {
    const server = createServer();
    const port = await listen(t, server);
    server.close();
    const reason = `nothing listens at 127.0.0.1:${port} (connect ECONNREFUSED 127.0.0.1:${port})`;
    return [`http://127.0.0.1:${port}`, `${reason}; check the address, and that the registry runs`];
  },
  'a page of another server': async (t) => {
    const port = await listen(t, answering(404, 'text/html', '<!DOCTYPE html>\n<html><title>404\nNot Found</title>'));
    const page = 'an HTML page (404 Not Found)';
    return [
      `http://127.0.0.1:${port}`,
      `404 for ${ID}: ${page}; is http://127.0.0.1:${port} the address of a registry?`,
    ];
  },
  'a page of a proxy whose registry is down': async (t) => {
    const port = await listen(t, answering(502, 'text/html', '<html>\n<head><title>502 Bad Gateway</title></head>'));
    return [`http://127.0.0.1:${port}`, `the registry responded with 502 for ${ID}: an HTML page (502 Bad Gateway)`];
  },
  'a status without content': async (t) => {
    const port = await listen(t, answering(405, 'text/plain', ''));
    return [`http://127.0.0.1:${port}`, `nothing more; is http://127.0.0.1:${port} the address of a registry?`];
  },
};

for (const [name, situation] of Object.entries(situations))
  test(name, async (t) => {
    const [registryUrl, message] = await situation(t);
    const file = join(await makeDirectory(t), 'x.tgz');
    writeFileSync(file, 'bytes');
    const options = { registryUrl, artefactId: ID, retries: 0 };
    for (const call of [() => getArtefact(options), () => publishArtefact({ ...options, file })])
      await assert.rejects(call, (error: Error) => {
        assert.ok(
          typeof message === 'string' ? error.message.endsWith(message) : message.test(error.message),
          error.message,
        );
        assert.match(error.message, /^the registry (?:at \S+ cannot be reached|responded with \d+ for \S+): [^\n]+$/);
        return true;
      });
  });

test('the path of the API, slashes and blanks around address and keys do not count', async (t) => {
  const registry = await makeRegistry(t, { basePath: '/tools' });
  registry.publish(ID, {});
  for (const end of ['', '/', '//', '/api', '/api/', '/api/v1', '/api/v1/', '/api/v1/\n'])
    await getArtefact({ registryUrl: ` ${registry.url}${end}`, artefactId: ID, apiKey: '\treg_1 \r\n' });
  for (const { url, headers } of registry.requests) {
    assert.equal(url, `/tools/api/v1/artefacts/${encodeURIComponent(ID)}`);
    assert.equal(headers['x-api-key'], 'reg_1');
  }
});
