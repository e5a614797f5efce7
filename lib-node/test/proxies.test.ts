// Outbound proxies: the registry is at a name that only the proxy resolves.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { getArtefact, proxyOptions } from '../dist/index.js';
import { startForwardProxy } from './support/forward-proxy.ts';
import { ID, makeDirectory, makeRegistry } from './support/setting.ts';
import { packPackage } from './support/tarballs.ts';
import { makeCertificate, startTls } from './support/tls.ts';

const NAME = 'registry.test';
const VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
const LIBRARY = new URL('../dist/index.js', import.meta.url).href;
const CALLS = `
  import { ensureArtefact, getArtefact, publishArtefact } from ${JSON.stringify(LIBRARY)};
  const [registryUrl, cacheDir, file] = process.argv.slice(1);
  const options = { registryUrl, artefactId: ${JSON.stringify(ID)}, retries: 0 };
  const { _id } = await getArtefact(options);
  const { downloaded } = await ensureArtefact({ ...options, cacheDir, architecture: '' });
  const { _id: uploaded } = await publishArtefact({ ...options, apiKey: 'reg_1', file });
  console.log(JSON.stringify([_id, downloaded, uploaded]));`;

async function makeProxy(t: TestContext) {
  const proxy = await startForwardProxy();
  t.after(() => proxy.close());
  return proxy;
}

for (const protocol of ['http', 'https'] as const)
  test(`requests, downloads and uploads over ${protocol} go through the proxy`, async (t) => {
    const [registry, proxy, folder] = await Promise.all([makeRegistry(t), makeProxy(t), makeDirectory(t)]);
    registry.publish(ID, { noarch: packPackage('1.2.3') });
    registry.misbehave((request, response) => {
      if (request.method !== 'POST') return false;
      request.resume().on('end', () => response.writeHead(201).end(JSON.stringify({ artefact: { _id: ID } })));
      return true;
    });
    const certificate = makeCertificate(folder, NAME);
    const plainPort = Number(new URL(registry.url).port);
    const tls = await startTls(certificate, plainPort);
    t.after(tls.close);
    const origin = `${NAME}:${protocol === 'https' ? tls.port : plainPort}`;
    const file = join(folder, 'upload.tgz');
    await writeFile(file, Buffer.alloc(1_000_000, 'bytes'));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', CALLS, `${protocol}://${origin}`, join(folder, 'cache'), file],
      { env: { PATH: process.env['PATH'], HTTP_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: certificate.file } },
    );
    assert.deepEqual(JSON.parse(stdout), [ID, true, ID]);
    assert.ok(proxy.requests.length >= 3);
    for (const request of proxy.requests)
      assert.ok(request.includes(protocol === 'https' ? `CONNECT ${origin}` : ` http://${origin}/api/v1/`), request);
    // The password of the proxy is for the proxy alone, and a registry sees its own name.
    for (const { headers } of registry.requests) assert.equal(headers.host, origin);
    if (protocol === 'https')
      for (const { headers } of registry.requests) assert.equal(headers['proxy-authorization'], undefined);
  });

test('a failing proxy is named, without its password', async (t) => {
  const saved = VARIABLES.map((name) => [name, process.env[name]] as const);
  t.after(() => {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of VARIABLES) delete process.env[name];
  const proxy = await makeProxy(t);
  const host = new URL(proxy.url).host;
  const cases: [proxy: string, message: RegExp][] = [
    [
      `http://user:wrong@${host}`,
      new RegExp(`the proxy ${host} refuses connections to ${NAME}:443 \\(status 407\\): it `),
    ],
    ['http://user:secret@127.0.0.1:1', /the proxy 127\.0\.0\.1:1 cannot be used: connect ECONNREFUSED/],
    ['socks5://user:secret@localhost', /HTTPS_PROXY is not the address of a proxy: expected a URL such as http:/],
  ];
  for (const [value, message] of cases) {
    process.env['HTTPS_PROXY'] = value;
    await assert.rejects(
      getArtefact({ registryUrl: `https://${NAME}`, artefactId: ID, retries: 0 }),
      (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret|wrong/);
        return true;
      },
    );
  }
});

test('the variables choose the proxy of each URL', () => {
  const proxy = 'http://proxy.test:3128';
  const isProxied = (url: string, env: Record<string, string>) => proxyOptions(new URL(url), env) !== undefined;
  const both = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
  const cases: [url: string, env: Record<string, string>, expected: boolean][] = [
    ['https://a.test', {}, false],
    ['https://a.test', { HTTPS_PROXY: proxy }, true],
    ['https://a.test', { https_proxy: ` ${proxy}\n` }, true],
    ['https://a.test', { HTTP_PROXY: 'proxy.test:3128' }, true],
    ['http://a.test', { HTTPS_PROXY: proxy }, false],
    ['http://a.test', { HTTP_PROXY: '' }, false],
    ...['localhost', '127.0.0.1', '127.1.2.3', '[::1]'].map((it): [string, typeof both, boolean] => [
      `http://${it}:8080`,
      both,
      false,
    ]),
    ...(
      [
        ['*', 'https://a.test', false],
        ['a.test', 'https://a.test', false],
        ['A.test', 'https://b.a.test', false],
        ['.a.test', 'https://b.a.test', false],
        ['*.a.test', 'https://b.a.test', false],
        ['a.test', 'https://ba.test', true],
        ['x.test, a.test', 'http://a.test', false],
        ['x.test a.test', 'http://a.test', false],
        ['a.test:443', 'https://a.test', false],
        ['a.test:8443', 'https://a.test', true],
        ['10.0.0.1', 'http://10.0.0.1', false],
        [',', 'http://a.test', true],
      ] as const
    ).map(([NO_PROXY, url, expected]): [string, Record<string, string>, boolean] => [
      url,
      { ...both, NO_PROXY },
      expected,
    ]),
  ];
  for (const [url, env, expected] of cases)
    assert.equal(isProxied(url, env), expected, `${url} ${JSON.stringify(env)}`);
});
