// The command's own environment variables, with the line ends and mistakes that come from files and from pasting.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { INTERNAL_SECRET, startKeyedRegistry, type KeyedRegistry, type Outcome } from './test-registry.ts';

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
    const { url } = registry;
    for (const env of [{ BERTH_URL: `${url}/\n` }, { BERTH_URL: ` ${url}/api/v1/ ` }]) {
      const { status, stderr } = await upload(env);
      assert.equal(status, 0, stderr);
    }
  });

  test('are named if they cannot be used, and keys are not shown', async () => {
    const { url, key } = registry;
    const cases: [env: Record<string, string>, words: string[], line: RegExp][] = [
      [{ BERTH_API_KEY: `${key}\u200b` }, ['ls'], /^berth ls: BERTH_API_KEY must be printable ASCII/],
      [{ BERTH_API_KEY: `${key}\n${key}` }, ['login', url], /^berth login: BERTH_API_KEY contains a blank or a line/],
      [{ BERTH_SECRET_KEY: `${key}\n${key}` }, ['import', '.'], /^berth import: BERTH_SECRET_KEY contains a blank or/],
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

  /** Every way to give a key, with a command that fails without it. */
  const ways: Record<string, (key: string) => Promise<Outcome>> = {
    'BERTH_API_KEY': (key) => upload({ BERTH_API_KEY: key }),
    '--api-key': (key) => registry.berth(['upload', file, '--id', 'tiles', `--api-key=${key}`, '--url', registry.url]),
    'the key in': (key) => {
      const folder = join(registry.scratch, 'home/.config/berth');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ url: registry.url, apiKey: key }));
      return registry.berth(['upload', file, '--id', 'tiles']);
    },
    'the key contains': async (key) => {
      const outcome = await registry.berth(['login', registry.url], { input: key });
      if (outcome.status !== 0) return outcome;
      return registry.berth(['upload', file, '--id', 'tiles']);
    },
    'BERTH_SECRET_KEY': (key) => {
      const folder = join(registry.scratch, 'to-import');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'imported'), 'bytes');
      const secret = key.replace(registry.key, INTERNAL_SECRET).replace('reg_', `${INTERNAL_SECRET}\n`);
      return registry.berth(['import', folder, '--url', registry.url], { env: { BERTH_SECRET_KEY: secret } });
    },
  };
  for (const [way, run] of Object.entries(ways)) {
    test(`a key that was pasted with blanks or line breaks works: ${way}`, async () => {
      const { key } = registry;
      for (const [before, behind] of [
        ['', '\n'],
        ['', '\r\n'],
        [' ', ' '],
        ['\t', '\t\n'],
        ['\u00a0', '\ufeff'],
        ['\n\n', ' \n'],
      ]) {
        const { status, stderr } = await run(`${before}${key}${behind}`);
        assert.equal(status, 0, `${JSON.stringify([before, behind])}: ${stderr}`);
      }
      const broken = await run(key.replace('reg_', 'reg_\n'));
      assert.equal(broken.status, 1);
      assert.match(broken.stderr, /^[^\n]+ contains a blank or a line break: [^\n]+\n$/);
      assert.ok(broken.stderr.includes(way), broken.stderr);
      for (const secret of [key.slice(4), INTERNAL_SECRET]) assert.ok(!broken.stderr.includes(secret));
    });
  }

  test('the saved key is the one without blanks, and the registry itself stays strict', async () => {
    const { url, key, scratch } = registry;
    await registry.berth(['login', url], { input: ` ${key}\n` });
    const saved = JSON.parse(readFileSync(join(scratch, 'home/.config/berth/config.json'), 'utf8')) as object;
    assert.deepEqual(saved, { url, apiKey: key });
    const inside = `${key.slice(0, 9)} ${key.slice(9)}`;
    const response = await fetch(`${url}/api/v1/session`, { headers: { 'x-api-key': inside } });
    assert.equal(response.status, 401);
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
      assert.match(
        stderr,
        /^[^\n]+ cannot be reached: it answers no TLS; did you mean http:\/\/127\.0\.0\.1:\d+\?\n$/,
      );
    }
    plain.close();
  });
});
