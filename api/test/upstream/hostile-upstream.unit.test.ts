// Whatever a registry does to keep a mirror waiting, each request to it ends.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createOutbound, type Outbound } from '../../src/outbound/index.ts';
import { readBody } from '../../src/upstream/client.ts';
import { createUpstream, type Upstream, type UpstreamAccess } from '../../src/upstream/index.ts';
import { eventually } from '../support/eventually.ts';
import { ATTACKS, startHostileUpstream, type Attack, type HostileUpstream } from './hostile-upstream.ts';

/** For what lasts too long; what is answered, or breaks HTTP, ends long before the other one. */
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

/** What a mirror asks for: where, what is there, and how it is read. */
interface Question {
  path: RegExp;
  body: Buffer;
  ask(upstream: Upstream): Promise<unknown>;
}

const QUESTIONS: Record<string, Question> = {
  'a list': {
    path: /\/artefacts\?/,
    body: Buffer.from(JSON.stringify({ results: [DOCUMENT], count: 1 })),
    ask: (upstream) => upstream.all(new AbortController().signal),
  },
  'a document': {
    path: /\/artefacts\/a$/,
    body: Buffer.from(JSON.stringify(DOCUMENT)),
    ask: (upstream) => upstream.artefact('a'),
  },
  'the bytes of a slot': { path: /\/artefacts\/a\/download$/, body: BYTES, ask: readBytes },
  'a thumbnail': { path: /\/thumbnails\/t\/data$/, body: BYTES, ask: (upstream) => upstream.thumbnail('t') },
};

type Work = (upstream: Upstream, there: HostileUpstream) => Promise<void>;

function open(access: UpstreamAccess, timeoutMs: number): { upstream: Upstream; close: Outbound['close'] } {
  const outbound = createOutbound({ timeoutMs });
  return { upstream: createUpstream(access, outbound), close: outbound.close };
}

/** Works with a registry that attacks whoever asks this question. */
async function under(attack: Attack | undefined, { path, body }: Question, work: Work): Promise<void> {
  const there = await startHostileUpstream((asked) => (path.test(asked) ? { body, attack } : undefined));
  const timeoutMs = attack?.code === 'remote_unavailable' ? TIMEOUT_MS : LONG_TIMEOUT_MS;
  const { upstream, close } = open({ url: there.url, apiKey: 'reg_key' }, timeoutMs);
  try {
    await work(upstream, there);
  } finally {
    await close();
    await there.close();
  }
}

for (const [what, question] of Object.entries(QUESTIONS)) {
  describe(`a registry that is asked for ${what}`, { concurrency: 4 }, () => {
    test('is understood when it answers', () =>
      under(undefined, question, async (upstream) => {
        assert.ok(await question.ask(upstream));
      }));

    for (const attack of ATTACKS) {
      test(`and sends ${attack.name} is given up, and its connection closed`, () =>
        under(attack, question, async (upstream, there) => {
          await assert.rejects(question.ask(upstream), { code: attack.code });
          await eventually(async () => {
            assert.equal(there.openConnections(), 0);
          });
        }));
    }
  });
}

describe('a registry that is slow for a reason', () => {
  async function answering(answer: (socket: net.Socket) => void, timeoutMs: number): Promise<Buffer> {
    const attack: Attack = { name: 'none', code: 'remote_unavailable', answer };
    const there = await startHostileUpstream(() => ({ body: BYTES, attack }));
    const outbound = createOutbound({ timeoutMs });
    try {
      return await readBody(await outbound.get(new URL(there.url)), 10_000_000);
    } finally {
      await outbound.close();
      await there.close();
    }
  }
  const head = (sizeBytes: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${sizeBytes}\r\n\r\n`;

  test('may send eight interim responses', async () => {
    const interim = 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(8);
    const body = await answering((socket) => {
      socket.write(`${interim}${head(2)}ok`);
    }, LONG_TIMEOUT_MS);
    assert.equal(body.toString(), 'ok');
  });

  test('may take longer than the time-out for a body of which enough comes all the time', async () => {
    const piece = Buffer.alloc(64 * 1024);
    const body = await answering((socket) => {
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

test('a server that drips its part of the TLS handshake is given up', async () => {
  const server = net
    .createServer((socket) => {
      // The header of a record of 16 KiB, which never becomes whole.
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
  const { upstream, close } = open({ url, apiKey: undefined }, TIMEOUT_MS);
  await assert.rejects(upstream.artefact('a'), { code: 'remote_unavailable' });
  await close();
  // Resolves when its connections have ended.
  server.close();
  await once(server, 'close');
});

test('a list without an end is given up', { timeout: 120_000 }, async () => {
  let listed = 0;
  const there = await startHostileUpstream(() => {
    const results = Array.from({ length: 20_000 }, () => ({ ...DOCUMENT, _id: `a${listed++}` }));
    return { body: Buffer.from(JSON.stringify({ results, count: 1e12 })) };
  });
  const { upstream, close } = open({ url: there.url, apiKey: undefined }, LONG_TIMEOUT_MS);
  try {
    const expected = { code: 'remote_answer_invalid', message: /lists more than 200000/ };
    await assert.rejects(upstream.all(new AbortController().signal), expected);
  } finally {
    await close();
    await there.close();
  }
});
