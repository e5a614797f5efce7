// The command behind an outbound proxy: the registry is at a name that only the proxy resolves.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startForwardProxy, type ForwardProxy } from '../../lib-node/test/support/forward-proxy.ts';
import { makeCertificate, startTls } from '../../lib-node/test/support/tls.ts';
import { writeFiles } from './packages.ts';
import { ADMIN, INTERNAL_SECRET, startKeyedRegistry, type KeyedRegistry } from './test-registry.ts';

const NAME = 'registry.test';
/** Uploaded over the resumable protocol. */
const LARGE_BYTES = 65 * 1024 * 1024;

describe('the command behind a proxy', () => {
  let registry: KeyedRegistry;
  let proxy: ForwardProxy;
  let tls: Awaited<ReturnType<typeof startTls>>;
  let certificate: string;
  before(async () => {
    [registry, proxy] = await Promise.all([startKeyedRegistry(), startForwardProxy()]);
    const made = makeCertificate(registry.scratch, NAME);
    certificate = made.file;
    tls = await startTls(made, Number(new URL(registry.url).port));
    writeFileSync(join(registry.scratch, 'large'), Buffer.alloc(LARGE_BYTES));
    writeFiles(join(registry.scratch, 'plugins'), { 'imported.txt': 'imported' });
  });
  after(async () => {
    tls.close();
    await proxy.close();
    await registry.stop();
  });

  for (const protocol of ['http', 'https'] as const)
    test(`every kind of request goes through it over ${protocol}`, async () => {
      const origin = `${NAME}:${protocol === 'https' ? tls.port : new URL(registry.url).port}`;
      const url = `${protocol}://${origin}`;
      const env = {
        [`${protocol.toUpperCase()}_PROXY`]: proxy.url,
        NODE_EXTRA_CA_CERTS: certificate,
        BERTH_URL: url,
        BERTH_API_KEY: registry.key,
        BERTH_SECRET_KEY: INTERNAL_SECRET,
        NO_PROXY: 'other.test',
      };
      const commands: [words: string[], input?: string][] = [
        [['upload', certificate, '--id', `small-${protocol}`]],
        [['upload', 'large', '--id', `large-${protocol}`]],
        [['ls']],
        [['login', url], registry.key],
        [['login', url, '--email', ADMIN.email], ADMIN.password],
        [['keys', 'ls']],
        [['import', 'plugins']],
        [['import', '--from', url]],
      ];
      for (const [words, input = ''] of commands) {
        proxy.requests.length = 0;
        const { status, stderr } = await registry.berth(words, { env, input });
        assert.equal(status, 0, `${words.join(' ')}: ${stderr}`);
        assert.ok(proxy.requests.length > 0);
        for (const request of proxy.requests) assert.ok(request.includes(origin), request);
      }
      const direct = await registry.berth(['ls'], { env: { ...env, NO_PROXY: '.test' } });
      assert.match(
        direct.stderr,
        /^berth ls: the registry at \S+ cannot be reached: there is no host registry\.test /,
      );
    });
});
