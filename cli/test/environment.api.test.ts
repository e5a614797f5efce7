// The command's own environment variables, with the line ends and mistakes that come from files.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startKeyedRegistry, type KeyedRegistry } from './test-registry.ts';

describe('environment variables of the command', () => {
  let registry: KeyedRegistry;
  let file: string;
  before(async () => {
    registry = await startKeyedRegistry();
    file = join(registry.scratch, 'tiles');
    writeFileSync(file, 'tiles');
  });
  after(() => registry.stop());
  const upload = (env: Record<string, string>) =>
    registry.berth(['upload', file, '--id', 'tiles'], { env: { ...registry.withKey(), ...env } });

  test('may have line ends around them, and the path of the API', async () => {
    const { url, key } = registry;
    for (const env of [
      { BERTH_API_KEY: `${key}\n` },
      { BERTH_API_KEY: `${key}\r\n` },
      { BERTH_URL: `${url}/\n` },
      { BERTH_URL: ` ${url}/api/v1/ ` },
    ]) {
      const { status, stderr } = await upload(env);
      assert.equal(status, 0, stderr);
    }
  });

  test('are named if they cannot be used, and keys are not shown', async () => {
    const { url, key } = registry;
    const cases: [env: Record<string, string>, words: string[], line: RegExp][] = [
      [{ BERTH_API_KEY: `${key} ` }, ['ls'], /^berth ls: BERTH_API_KEY must be printable ASCII/],
      [{ BERTH_API_KEY: `\t${key}` }, ['ls'], /^berth ls: BERTH_API_KEY must be printable ASCII/],
      [{ BERTH_API_KEY: `${key}\n${key}` }, ['login', url], /^berth login: BERTH_API_KEY must be printable ASCII/],
      [{ BERTH_SECRET_KEY: `${key}é` }, ['import', '.'], /^berth import: BERTH_SECRET_KEY must be printable ASCII/],
      [
        { BERTH_URL: 'ftp://x' },
        ['ls'],
        /^berth ls: BERTH_URL is "ftp:\/\/x", which is not the address of a registry/,
      ],
      [{ BERTH_URL: 'http://a b' }, ['ls'], /^berth ls: BERTH_URL is "http:\/\/a b", which is not the address/],
    ];
    for (const [env, words, line] of cases) {
      const { status, stderr } = await registry.berth(words, { env: { ...registry.withKey(), ...env } });
      assert.equal(status, 1);
      assert.match(stderr, line);
      assert.match(stderr, /^[^\n]+\n$/);
      assert.ok(!stderr.includes(key));
    }
  });

  test('with https for a registry without TLS give an error of one line that says so', async () => {
    const plain = createServer((socket) => socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const url = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`;
    for (const words of [
      ['login', url],
      ['ls', '--url', url],
    ]) {
      const { status, stderr } = await registry.berth(words);
      assert.equal(status, 1);
      assert.match(stderr, /^[^\n]+ cannot be reached: it does not use TLS there; is it http:\/\/ [^\n]+\n$/);
    }
    plain.close();
  });
});
