// `berth events` against registries that are hostile, too old, or none.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { hostileEvent, sendJson, sendStream, startEventServer, type EventServer } from './event-server.ts';
import { CONTROLS, HOSTILE } from './hostile-registry.ts';
import { PROGRAM } from './test-registry.ts';

describe('berth events of another registry', () => {
  let server: EventServer;
  before(async () => {
    server = await startEventServer(() => undefined);
  });
  after(() => {
    server.stop();
  });

  interface Outcome {
    status: number | null;
    stdout: string;
    stderr: string;
  }
  /** Runs the command until it ends, or has printed `until`. */
  async function run(words: string[], until?: RegExp): Promise<Outcome> {
    const env = { PATH: process.env['PATH'], BERTH_URL: server.url, BERTH_API_KEY: 'reg_1', XDG_CONFIG_HOME: '/none' };
    const child = spawn(process.execPath, [PROGRAM, 'events', ...words], { env });
    const output = { stdout: '', stderr: '' };
    let isInterrupted = false;
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (part: string) => {
        output[name] += part;
        // Once: the second Ctrl-C kills.
        if (!isInterrupted && until?.test(output.stdout)) isInterrupted = child.kill('SIGINT');
      });
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, ...output };
  }

  const content = { version: HOSTILE, slots: { [HOSTILE]: { digest: HOSTILE } }, by: { kind: HOSTILE, id: HOSTILE } };
  const hostile = [
    hostileEvent('berth.artefact.created', content),
    hostileEvent('berth.artefact.metadata_changed', { fields: [HOSTILE, { a: HOSTILE }] }),
    hostileEvent('berth.slot.removed', { architecture: HOSTILE, digest: HOSTILE }),
    hostileEvent(HOSTILE, { [HOSTILE]: HOSTILE, inner: { [HOSTILE]: [[HOSTILE]] } }),
    hostileEvent('berth.artefact.deleted', { format: { a: 1 } }),
    { id: 'bare', type: 'berth.__proto__', data: { long: 'x'.repeat(100_000) } },
  ];

  test('shows an event in one line, whatever is in it', async () => {
    for (const words of [[], ['--follow']]) {
      server.answer = (path, query, response) => {
        if (path === '/events/stream') sendStream(response, hostile);
        else sendJson(response, 200, { results: query.get('after') === 'oldest' ? hostile : [], next: 'hostile' });
      };
      const { stdout, stderr, status } = await run(words, words.length > 0 ? /long x.*\n/ : undefined);
      assert.deepEqual([stderr, status], ['', 0]);
      const shown = stdout.trimEnd().split('\n');
      assert.equal(shown.length, hostile.length);
      assert.doesNotMatch(stdout.replaceAll('\n', ''), CONTROLS);
      assert.ok(shown.slice(0, -1).every((line) => line.includes('FAKE')));
      assert.ok(shown.every((line) => line.length < 2000));
    }
  });

  test('shows an event that is nested deeply', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const event = JSON.stringify(hostileEvent('berth.new.type', { list: ['DEEP'], inner: 'DEEP' }));
    server.answer = (_path, query, response) => {
      const results = query.get('after') === 'oldest' ? event.replaceAll('"DEEP"', deep) : '';
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"results":[${results}],"next":"x"}`);
    };
    const { status, stdout, stderr } = await run([]);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /new\.type[^\n]+ {2}list …, inner …\n$/);
  });

  test('prints it as JSON without a control character, and with every value', async () => {
    server.answer = (_path, query, response) => {
      sendJson(response, 200, { results: query.get('after') === 'oldest' ? hostile : [], next: 'hostile' });
    };
    const { stdout } = await run(['--json']);
    const shown = stdout.trimEnd().split('\n');
    assert.deepEqual(
      shown.map((line) => JSON.parse(line) as unknown),
      hostile,
    );
    assert.doesNotMatch(shown.join(''), CONTROLS);
  });

  test('reads page after page, as long as there is something newer', async () => {
    const asked: (string | null)[] = [];
    server.answer = (_path, query, response) => {
      const after = query.get('after');
      asked.push(after);
      const number = after === 'oldest' ? 0 : Number(after);
      const results = [1, 3].includes(number) ? [{ id: 'x', type: 'berth.new.type', data: { number } }] : [];
      sendJson(response, 200, { results, next: `${Math.min(4, number + 1)}` });
    };
    assert.deepEqual(await run([]), {
      status: 0,
      stdout: [1, 3].map((number) => `-  new.type                   -  number ${number}\n`).join(''),
      stderr: '',
    });
    assert.deepEqual(asked, ['oldest', '1', '2', '3', '4']);
  });

  test('tells once of a connection that several attempts do not bring back', async () => {
    let attempts = 0;
    server.answer = (_path, _query, response) => {
      attempts++;
      if ([2, 3].includes(attempts)) return void response.writeHead(503).end('busy');
      sendStream(response, attempts === 1 ? [hostile[0]] : [hostile[5]]);
      if (attempts === 1) response.end();
    };
    const { status, stdout, stderr } = await run(['--follow'], /long x.*\n/);
    assert.deepEqual([status, stdout.split('\n').length, attempts], [0, 3, 4]);
    assert.match(stderr, /^berth events: connection lost, [^\n]+\nberth events: connected again\n$/);
  });

  test('says so if the registry is too old, or is none', async () => {
    const notFound = {
      title: 'x',
      status: 404,
      detail: 'There is no route GET /api/v1/events.',
      code: 'route_not_found',
    };
    const cases: [answer: EventServer['answer'], line: RegExp][] = [
      [
        (_path, _query, response) => sendJson(response, 404, notFound),
        /^berth events: this registry has no events: ask its operator to upgrade it\n$/,
      ],
      [
        (_path, _query, response) => response.writeHead(404).end('<html><title>Lost</title>'),
        /^berth events: [^\n]+404[^\n]+ the address of a registry\?\n$/,
      ],
      [
        (_path, _query, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
        /^berth events: the response \(200\) is not a (?:page|stream) of events; is [^\n]+ of a registry\?\n$/,
      ],
      ...[{ results: [] }, { next: 'x' }, { results: [null], next: 'x' }, { results: [{ id: 'x' }], next: 'x' }].map(
        (page): [EventServer['answer'], RegExp] => [
          (_path, _query, response) => sendJson(response, 200, page),
          /^berth events: the response \(200\) is not a (?:page|stream) of events; [^\n]+\n$/,
        ],
      ),
      [
        (_path, _query, response) => sendJson(response, 403, { detail: HOSTILE, code: HOSTILE }),
        /^berth events: the registry responded with 403: [^\n]+FAKE[^\n]+\n$/,
      ],
      [
        (_path, _query, response) => sendJson(response, 400, { detail: 'nobody reads on', code: 'EPIPE' }),
        /^berth events: the registry responded with 400: nobody reads on\n$/,
      ],
      [
        (_path, _query, response) => sendJson(response, 400, { detail: 'of a builder', code: 'constructor' }),
        /^berth events: the registry responded with 400: of a builder\n$/,
      ],
      [
        (_path, _query, response) => sendJson(response, 401, { detail: 'a wrong key', code: 'unauthenticated' }),
        /^berth events: the registry responded with 401: a wrong key\n$/,
      ],
    ];
    for (const [answer, line] of cases) {
      server.answer = answer;
      for (const { status, stdout, stderr } of await Promise.all([run([]), run(['--follow'])])) {
        assert.deepEqual([status, stdout], [1, '']);
        assert.match(stderr, line);
        assert.doesNotMatch(stderr.trimEnd(), CONTROLS);
      }
    }
  });

  // Shorter than the time after which a request is given up.
  test('is interrupted by Ctrl-C while a page does not end', { timeout: 25_000 }, async () => {
    server.answer = (_path, query, response) => {
      if (query.get('after') === 'oldest') return sendJson(response, 200, { results: [hostile[0]], next: 'hostile' });
      response.writeHead(200, { 'content-type': 'application/json' }).write('{');
    };
    const interrupted = await run([], /FAKE/);
    assert.deepEqual([interrupted.status, interrupted.stderr], [1, 'berth events: interrupted\n']);
  });

  test('reads no page without end', async () => {
    server.answer = (_path, _query, response) => {
      const more = () => {
        while (response.write('x'.repeat(1024 * 1024)));
      };
      response.writeHead(200, { 'content-type': 'application/json' }).on('drain', more);
      more();
    };
    const { status, stderr } = await run([]);
    assert.equal(status, 1);
    assert.match(stderr, /^berth events: [^\n]+ is larger than 64 MiB; [^\n]+\n$/);
  });
});
