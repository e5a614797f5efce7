// `berth events` against a real registry, also through connections that are cut.

import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../lib-node/test/support/eventually.ts';
import { startProxy, type Proxy } from './stalling-proxy.ts';
import { INTERNAL_SECRET, PROGRAM, startTestRegistry, type TestRegistry } from './test-registry.ts';

interface Event {
  id: string;
  type: string;
  subject: string;
  data: Record<string, unknown>;
}
interface Following {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit status and the signal. */
  ended: Promise<unknown[]>;
}

describe('berth events', () => {
  let registry: TestRegistry;
  let secret: Record<string, string>;
  let reader: Record<string, string>;
  const children: ChildProcess[] = [];
  before(async () => {
    registry = await startTestRegistry();
    secret = { BERTH_URL: registry.url, BERTH_SECRET_KEY: INTERNAL_SECRET };
    reader = { BERTH_URL: registry.url, BERTH_API_KEY: await registry.readKey() };
    for (const id of ['@acme/alps', 'lakes', 'rivers']) await upload(id);
    await registry.show('@acme/alps');
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await registry.stop();
  });

  async function upload(id: string, content = id): Promise<void> {
    const form = new FormData();
    form.set('file', new Blob([content]), 'tiles.bin');
    const url = `${registry.url}/api/v1/artefacts/file/${encodeURIComponent(id)}`;
    const { status } = await fetch(url, { method: 'POST', headers: { 'x-secret-key': INTERNAL_SECRET }, body: form });
    assert.equal(status, 201);
  }
  async function run(words: string[], env = secret): Promise<string> {
    const { status, stdout, stderr } = await registry.berth(['events', ...words], { env });
    assert.deepEqual([status, stderr], [0, ''], words.join(' '));
    return stdout;
  }
  const lines = async (words: string[], env = secret) => (await run(words, env)).trimEnd().split('\n');
  const json = async (words: string[], env = secret) =>
    (await lines([...words, '--json'], env)).map((line) => JSON.parse(line) as Event);

  function follow(words: string[], env: Record<string, string> = secret): Following {
    const child = spawn(process.execPath, [PROGRAM, 'events', '--follow', ...words], {
      env: { ...registry.environment, ...env },
    });
    children.push(child);
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (part: string) => (output[name] += part));
    return { child, stdout: () => output.stdout, stderr: () => output.stderr, ended: once(child, 'exit') };
  }

  test('lists what has happened, one line for each event', async () => {
    const [first, second, , shown, ...others] = await lines([]);
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
    const digest = 'sha256:[0-9a-f]{12}…';
    assert.match(
      first ?? '',
      new RegExp(`^${time}  artefact.created {11}@acme/alps  tiles.bin, ${digest}  by internal$`),
    );
    assert.match(second ?? '', / {2}artefact\.created {11}lakes {2}/);
    assert.match(shown ?? '', new RegExp(`^${time}  artefact.access_changed {4}@acme/alps  public  by internal$`));
    assert.deepEqual(others, []);
  });

  test('lists only what the key may see, and what is asked for', async () => {
    const subjects = (events: Event[]) => [...new Set(events.map(({ subject }) => subject))];
    assert.deepEqual(subjects(await json([], reader)), ['@acme/alps']);
    assert.deepEqual(subjects(await json([])), ['@acme/alps', 'lakes', 'rivers']);
    assert.deepEqual(subjects(await json(['--artefact', 'lakes', '--artefact', 'rivers'])), ['lakes', 'rivers']);
    const changes = await json(['--types', 'berth.artefact.access_changed, slot.']);
    assert.deepEqual(
      changes.map(({ type }) => type),
      ['berth.artefact.access_changed'],
    );
    assert.equal(await run(['--types', 'slot.']), 'No events found.\n');
    assert.equal(await run(['--types', 'slot.', '--json']), '');
  });

  test('lists what operators are told, with the internal secret', async () => {
    const send = (method: string, path: string, body?: object) =>
      fetch(`${registry.url}/api/v1/api-keys${path}`, {
        method,
        headers: { ...registry.session, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      });
    const created = await send('POST', '', { type: 'upload', name: 'old' });
    const { _id: id, shortId } = (await created.json()) as { _id: string; shortId: string };
    assert.equal((await send('DELETE', `/${id}`)).status, 204);
    const words = ['--types', 'mirror.failed,key.,storage.'];
    const [line = '', ...others] = await lines(words);
    assert.match(
      line,
      new RegExp(` key.revoked {16}\\S+ {2}type upload, name old, shortId ${shortId} {2}by user \\S+$`),
    );
    assert.deepEqual(others, []);
    assert.equal(await run(['--types', 'key.'], reader), 'No events found.\n');
  });

  test('goes on after an event', async () => {
    const [first, ...rest] = await json([]);
    assert.deepEqual(await json(['--after', first?.id ?? '']), rest);
    assert.deepEqual(await json(['--after', 'oldest']), [first, ...rest]);
    assert.equal(await run(['--after', 'latest']), 'No events found.\n');
  });

  test('an API key on the command line counts before the internal secret', async () => {
    const apiKey = `--api-key=${reader['BERTH_API_KEY']}`;
    assert.ok((await json([apiKey])).every(({ subject }) => subject === '@acme/alps'));
    assert.ok((await json([])).some(({ subject }) => subject === 'lakes'));
  });

  test('a refusal is one sentence that says what to do', async () => {
    const unknown = '01a230ad-beaf-780d-b052-47996a5b1eb5';
    const uploadKey = { BERTH_URL: registry.url, BERTH_API_KEY: await registry.uploadKey() };
    const anonymous = { BERTH_URL: registry.url };
    const gone = /: the events after this one are not known any more: .+ --after latest\n$/;
    const withoutKey = /: events require a read key .+: set BERTH_API_KEY or BERTH_SECRET_KEY\n$/;
    const cases: [words: string[], env: Record<string, string>, status: number, line: RegExp][] = [
      [['--after', unknown], secret, 1, gone],
      [['--follow', '--after', unknown], secret, 1, gone],
      [[], anonymous, 1, withoutKey],
      [['--follow'], anonymous, 1, withoutKey],
      [[], { ...anonymous, BERTH_API_KEY: 'reg_1' }, 1, /: the registry responded with 401\b.+\n$/],
      [[], uploadKey, 1, /: the registry responded with 403\b.+\n$/],
      [['--types', 'artefact.sunk'], secret, 1, /There is no event type "artefact\.sunk": use some of artefact\./],
      [['--types', 'key.revoked'], reader, 1, /: the registry responded with 403\b.+\n$/],
      [[], { BERTH_SECRET_KEY: 'x' }, 1, /missing registry/],
      [[], { ...secret, BERTH_URL: 'http://127.0.0.1:1' }, 1, /cannot be reached/],
      [['--after', ''], secret, 2, /--after must be/],
      [['--artefact', ''], secret, 2, /--artefact must be/],
      [Array.from({ length: 101 }, () => '--artefact=x'), secret, 2, /at most 100 times/],
    ];
    for (const [words, env, status, line] of cases) {
      const outcome = await registry.berth(['events', ...words], { env });
      assert.match(outcome.stderr, line, words.join(' '));
      assert.match(outcome.stderr, /^berth events: [^\n]+\n$/);
      assert.deepEqual([outcome.status, outcome.stdout], [status, '']);
    }
  });

  test('follows until Ctrl-C, which is no failure', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const following = follow([]);
      await eventually(async () => {
        await upload('lakes', `${signal} ${Date.now()}`);
        assert.match(following.stdout(), /^\S+ \S+ {2}artefact\.updated {11}lakes {2}/);
      });
      assert.doesNotMatch(following.stdout(), /artefact\.created/, 'begins with what is new');
      following.child.kill(signal);
      assert.deepEqual(await following.ended, [0, null]);
      assert.equal(following.stderr(), '');
    }
  });

  test('follows across lost connections, without a gap, and tells of them', async () => {
    const proxy: Proxy = await startProxy(registry.url);
    try {
      await registry.show('rivers');
      const selection = ['--artefact', 'rivers', '--types', 'artefact.created,artefact.updated'];
      const options = [...selection, '--after', 'oldest', '--json'];
      const [loud, quiet] = [options, [...options, '--quiet']].map((words) =>
        follow(words, { ...secret, BERTH_URL: proxy.url }),
      ) as [Following, Following];
      const both = [loud, quiet];
      const received = ({ stdout }: Following) => stdout().split('\n').slice(0, -1);
      for (let round = 1; round <= 2; round++) {
        await eventually(async () => both.forEach((it) => assert.equal(received(it).length, round)));
        proxy.cut();
        await upload('rivers', `round ${round}`);
        const told = /^(berth events: connection lost, [^\n]+\nberth events: connected again\n)+$/;
        await eventually(async () => {
          assert.match(loud.stderr(), told);
          assert.equal(loud.stderr().split('\n').length - 1, 2 * round);
        });
      }
      await eventually(async () => both.forEach((it) => assert.equal(received(it).length, 3)));
      for (const it of both) {
        it.child.kill('SIGINT');
        assert.deepEqual(await it.ended, [0, null]);
        assert.deepEqual(
          received(it).map((line) => JSON.parse(line) as Event),
          await json(selection),
        );
      }
      assert.equal(quiet.stderr(), '');
    } finally {
      proxy.stop();
    }
  });

  test('ends quietly when nobody reads on', async () => {
    const script = (words: string) => `"$NODE" "$PROGRAM" events ${words} | head -n 1; echo "\${PIPESTATUS[0]}"`;
    for (const words of ['--json', '--follow --json --after oldest']) {
      const child = spawn('bash', ['-c', script(words)], {
        env: { ...registry.environment, ...secret, NODE: process.execPath, PROGRAM },
      });
      children.push(child);
      const printed = Promise.all([text(child.stdout), text(child.stderr)]);
      const ended = once(child, 'exit');
      // The next line shows that the pipe is closed.
      const uploads = setInterval(() => void upload('rivers', `${Date.now()}`), 300);
      await ended;
      clearInterval(uploads);
      const [stdout, stderr] = await printed;
      assert.match(stdout, /^\{"specversion".+\}\n0\n$/);
      assert.equal(stderr, '');
    }
  });

  test('reports a disk that is full in one line', async () => {
    const child = spawn('bash', ['-c', 'exec "$NODE" "$PROGRAM" events > /dev/full'], {
      env: { ...registry.environment, ...secret, NODE: process.execPath, PROGRAM },
    });
    const ended = once(child, 'exit');
    assert.match(await text(child.stderr), /^berth events: ENOSPC[^\n]+\n$/);
    assert.deepEqual(await ended, [1, null]);
  });
});
