// Every request to a hostile registry ends, whatever it sends.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOutbound } from '../../src/outbound/index.ts';
import { readBody } from '../../src/upstream/client.ts';
import type { Upstream, UpstreamAccess } from '../../src/upstream/index.ts';
import { eventually } from '../support/eventually.ts';
import { ATTACKS, startHostileUpstream, type Attack, type HostileUpstream } from './hostile-upstream.ts';
import { startTestReader } from './test-reader.ts';

/** For slow responses. Complete and invalid ones end long before the long timeout. */
const TIMEOUT_MS = 400;
const LONG_TIMEOUT_MS = 30_000;
const BYTES = randomBytes(600);
const DOCUMENT = { _id: 'a', format: 'file', category: 'other', fileName: 'data.bin', size: BYTES.length };
const SLOT = {
  architecture: '',
  digest: undefined,
  sizeBytes: BYTES.length,
  version: undefined,
  fileName: 'data.bin',
  uploadedAt: '',
  hasNativeModules: undefined,
  hasInstallScripts: undefined,
  route: 'download',
} as const;

async function readBytes(upstream: Upstream): Promise<Buffer> {
  const bytes = await upstream.open('a', SLOT, undefined, new AbortController().signal);
  assert.ok(bytes);
  const copies: Uint8Array[] = [];
  for await (const chunk of bytes.chunks) copies.push(Uint8Array.from(chunk));
  return Buffer.concat(copies);
}

/** A resource that a mirror requests: its path, its body, and how it is read. */
interface Resource {
  path: RegExp;
  body: Buffer;
  read(upstream: Upstream): Promise<unknown>;
}

const RESOURCES: Record<string, Resource> = {
  'a list': {
    path: /\/artefacts\?/,
    body: Buffer.from(JSON.stringify({ results: [DOCUMENT], count: 1 })),
    read: readList,
  },
  'a document': {
    path: /\/artefacts\/a$/,
    body: Buffer.from(JSON.stringify(DOCUMENT)),
    read: (upstream) => upstream.artefact('a'),
  },
  'the bytes of a slot': { path: /\/artefacts\/a\/download$/, body: BYTES, read: readBytes },
  'a thumbnail': { path: /\/thumbnails\/t\/data$/, body: BYTES, read: (upstream) => upstream.thumbnail('t') },
};

type Work = (upstream: Upstream, server: HostileUpstream) => Promise<void>;

const readers = new Map([TIMEOUT_MS, LONG_TIMEOUT_MS].map((timeoutMs) => [timeoutMs, startTestReader({ timeoutMs })]));
after(() => Promise.all([...readers.values()].map(({ close }) => close())));

function open(access: UpstreamAccess, timeoutMs: number): Upstream {
  return readers.get(timeoutMs)!.open(access);
}

async function readList(upstream: Upstream): Promise<unknown[]> {
  const artefacts: unknown[] = [];
  for await (const page of upstream.pages({ form: 'artefact' })) artefacts.push(...page.artefacts);
  return artefacts;
}

/** Runs `work` against a registry that serves this resource with an attack. */
async function withAttack(attack: Attack | undefined, { path, body }: Resource, work: Work): Promise<void> {
  const server = await startHostileUpstream((requested) => (path.test(requested) ? { body, attack } : undefined));
  const timeoutMs = attack?.code === 'remote_unavailable' ? TIMEOUT_MS : LONG_TIMEOUT_MS;
  try {
    await work(open({ url: server.url, apiKey: 'reg_key' }, timeoutMs), server);
  } finally {
    await server.close();
  }
}

for (const [what, resource] of Object.entries(RESOURCES)) {
  describe(`a request for ${what}`, { concurrency: 4 }, () => {
    test('succeeds when the registry responds', () =>
      withAttack(undefined, resource, async (upstream) => {
        assert.ok(await resource.read(upstream));
      }));

    for (const attack of ATTACKS) {
      test(`fails and closes its connection when the registry sends ${attack.name}`, () =>
        withAttack(attack, resource, async (upstream, server) => {
          await assert.rejects(resource.read(upstream), { code: attack.code });
          await eventually(async () => {
            assert.equal(server.openConnections(), 0);
          });
        }));
    }
  });
}

describe('a registry that is slow but makes progress', () => {
  async function fetchFrom(respond: (socket: net.Socket) => void, timeoutMs: number): Promise<Buffer> {
    const attack: Attack = { name: 'none', code: 'remote_unavailable', respond };
    const server = await startHostileUpstream(() => ({ body: BYTES, attack }));
    const outbound = createOutbound({ timeoutMs });
    try {
      return await readBody(await outbound.get(new URL(server.url)), 10_000_000);
    } finally {
      await outbound.close();
      await server.close();
    }
  }
  const head = (sizeBytes: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${sizeBytes}\r\n\r\n`;

  test('may send eight interim responses', async () => {
    const interim = 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(8);
    const body = await fetchFrom((socket) => {
      socket.write(`${interim}${head(2)}ok`);
    }, LONG_TIMEOUT_MS);
    assert.equal(body.toString(), 'ok');
  });

  test('may take longer than the timeout for a body that arrives steadily', async () => {
    const piece = Buffer.alloc(64 * 1024);
    const body = await fetchFrom((socket) => {
      void (async () => {
        socket.write(head(15 * piece.length));
        for (let at = 0; at < 15; at++) {
          socket.write(piece);
          await sleep(100);
        }
      })();
    }, 1000);
    assert.equal(body.length, 15 * piece.length);
  });
});

test('a request to a server that drips its TLS handshake fails', async () => {
  const server = net
    .createServer((socket) => {
      // Header of a 16 KiB TLS record that is never completed.
      socket.write(Buffer.from([0x16, 0x03, 0x03, 0x40, 0x00]));
      const timer = setInterval(() => {
        socket.write('x');
      }, 30);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        clearInterval(timer);
      });
    })
    .listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await assert.rejects(open({ url, apiKey: undefined }, TIMEOUT_MS).artefact('a'), { code: 'remote_unavailable' });
  // The close event is emitted once all connections have ended.
  server.close();
  await once(server, 'close');
});

test('an endless list is rejected', { timeout: 120_000 }, async () => {
  let listed = 0;
  const hostile = await startHostileUpstream(() => {
    const results = Array.from({ length: 1000 }, () => ({ ...DOCUMENT, _id: `a${listed++}` }));
    return { body: Buffer.from(JSON.stringify({ results, count: 1e300 })) };
  });
  try {
    const expected = { code: 'remote_answer_invalid', message: /lists more than 100000/ };
    await assert.rejects(readList(open({ url: hostile.url, apiKey: undefined }, LONG_TIMEOUT_MS)), expected);
    assert.equal(listed, 101_000);
  } finally {
    await hostile.close();
  }
});
