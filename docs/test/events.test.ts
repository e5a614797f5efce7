// Runs the commands and programs of the guide on events verbatim, through restarts of the registry and of their own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EVENT_TYPES } from '../../api/src/events/event-types.ts';
import { eventually } from '../../api/test/support/eventually.ts';
import { freePort } from '../../api/test/support/free-port.ts';
import { startExampleNginx } from '../../api/test/support/nginx-example.ts';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../../api/test/support/test-server.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { ensureJq } from '../../scripts/test-programs.ts';
import {
  createCache,
  installClients,
  readPrograms,
  start,
  startChat,
  type Cache,
  type Chat,
  type Running,
} from './event-programs.ts';
import { blocksOf, createHome, type Home } from './typed-commands.ts';

const HELLO = '@acme/hello@1';
const LINK = `http://localhost/artefacts/${encodeURIComponent(HELLO)}`;
const SLOW_MS = 30_000;
const INVALIDATING = ['invalidate-cache.mjs', 'invalidate_cache.py', 'invalidate-cache.sh'];
const TELLING = ['tell-chat.mjs', 'tell_chat.py', 'tell-chat.sh'];
const guide = await readFile(join(repositoryRoot, 'docs/guides/events.md'), 'utf8');

describe('the guide on events', () => {
  let berth: TestServer;
  let user: Home;
  let chat: Chat;
  let key: string;
  let place: { dataDir: string; env: { PORT: string } };
  const caches = new Map<string, Cache>();
  const running = new Map<string, Running>();

  before(async () => {
    place = { dataDir: await mkdtemp(join(tmpdir(), 'berth-events-')), env: { PORT: `${await freePort()}` } };
    [berth, user, chat] = await Promise.all([startTestServer(place), createHome(), startChat(), ensureJq()]);
    await installClients(user.home);
    for (const [name, text] of await readPrograms()) await writeFile(join(user.home, name), text);
    for (const name of INVALIDATING)
      caches.set(name, await createCache(join(user.home, `cache of ${name}`), [HELLO, 'tiles']));
    for (const name of TELLING) await mkdir(join(user.home, `place of ${name}`));
    key = await berth.readKey({ type: 'organization', id: 'acme' });
    await publish('0.9.0');
    await upload('tiles');
  });
  after(async () => {
    await Promise.all([...running.values()].map((program) => program.kill()));
    await Promise.all([berth.close(), chat.stop()]);
    await rm(user.home, { recursive: true, force: true });
    await rm(place.dataDir, { recursive: true, force: true });
  });

  async function publish(version: string): Promise<void> {
    const file = await npmTarball({ name: '@acme/hello', version });
    assert.equal((await berth.upload(HELLO, { file })).status, 201);
    await edit(HELLO, { privateAccess: [{ type: 'organization', id: 'acme' }] });
  }
  async function upload(id: string, fields: object = { public: true }): Promise<void> {
    const form = { format: 'file', file: Buffer.from(id), fileName: `${id}.bin` } as const;
    assert.equal((await berth.upload(id, form)).status, 201);
    await edit(id, fields);
  }
  async function edit(id: string, body: object): Promise<void> {
    const path = `/artefacts/${encodeURIComponent(id)}`;
    assert.equal((await berth.api('PATCH', path, { headers: berth.internal, body })).status, 200);
  }
  function environment(more: Record<string, string> = {}): Record<string, string> {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(BERTH_|XDG_|CI_|GITHUB_)/.test(name));
    return {
      ...(Object.fromEntries(inherited) as Record<string, string>),
      HOME: user.home,
      PATH: `${user.home}/.local/bin:${process.env['PATH']}`,
      BERTH_URL: berth.url,
      BERTH_API_KEY: key,
      ...more,
    };
  }
  function startAll(): void {
    for (const [name, { folder }] of caches)
      running.set(name, start(name, folder, environment({ CACHE_DIR: folder }), [HELLO, 'tiles']));
    for (const name of TELLING) {
      const env = environment({ CHAT_URL: chat.webhook(name) });
      running.set(name, start(name, join(user.home, `place of ${name}`), env));
    }
  }
  const fillAll = () => Promise.all([...caches.values()].map((cache) => cache.fill()));
  const killAll = () => Promise.all([...running.values()].map((program) => program.kill()));

  /** Waits until exactly these entries of all caches are left. */
  const leaves = (entries: string[], names = INVALIDATING) =>
    Promise.all(names.map((name) => hasEffect(name, () => caches.get(name)?.entries(), entries)));
  /** Waits until the last texts in all rooms are these. */
  const tells = (...texts: string[]) =>
    Promise.all(TELLING.map((name) => hasEffect(name, () => chat.texts(name).slice(-texts.length), texts)));
  /** Publishes until all programs follow, since each begins with what is new. */
  async function publishUntilTold(line: string): Promise<void> {
    const counts = TELLING.map((name) => chat.texts(name).length);
    const isTold = () => TELLING.every((name, index) => chat.texts(name).length > (counts[index] ?? 0));
    for (let patch = 0; !isTold() && patch < 100; patch++) {
      await publish(`${line}.${patch}`);
      await eventually(async () => assert.ok(isTold()), 300).catch(() => undefined);
    }
    await publish(`${line}.1000`);
  }
  function hasEffect(name: string, observe: () => unknown, expected: unknown): Promise<void> {
    return eventually(async () => {
      assert.deepEqual(observe(), expected, `${name}:\n${running.get(name)?.output()}`);
    }, SLOW_MS);
  }

  test('lists every type with what the code says of it', () => {
    const rows = [...guide.matchAll(/^\| `(\w+\.\w+)` \| (.*) \| (.*) \| (\w+) \|$/gm)].map(
      ([, type = '', when = '', data = '', who = '']) => [type, when, data.replaceAll('`', '').split(', '), who],
    );
    assert.deepEqual(
      rows,
      Object.entries(EVENT_TYPES).map(([type, { description, data, audience }]) => [
        type,
        description,
        Object.keys(data.properties),
        audience === 'artefact' ? 'readers' : 'operators',
      ]),
    );
  });

  test('shows an event as the registry sends it', async () => {
    const [, sample = ''] = /^```json\n([^]*?)^```$/m.exec(guide) ?? [];
    const path = `/events?types=artefact.created&artefact=${encodeURIComponent(HELLO)}`;
    const { results } = (await (await berth.api('GET', path, { headers: { 'x-api-key': key } })).json()) as {
      results: unknown[];
    };
    assert.equal(results.length, 1);
    const shown = JSON.parse(sample) as { type: string };
    assert.deepEqual(fieldsOf({ ...shown, type: 'berth.artefact.created' }), fieldsOf(results[0]));
  });

  test('has commands that list events, and follow them', async () => {
    const [commands = ''] = await blocksOf('events');
    const [list = '', follow = '', request = ''] = commands.trim().split('\n');
    const env = environment();
    assert.match(await user.type(list, { substitutions: {}, env }), /^No events found\.\n$/);
    const page = JSON.parse(await user.type(request, { substitutions: {}, env })) as { results: unknown[] };
    assert.ok(page.results.length > 2);
    const child = spawn('bash', ['-c', `exec ${follow.replace('import-gpkg', 'hello')}`], { env, stdio: 'pipe' });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    const ended = once(child, 'exit');
    await eventually(async () => {
      await edit(HELLO, { title: { en: `Hello ${Date.now()}` } });
      assert.match(printed, /artefact\.metadata_changed +@acme\/hello@1 +title/);
    });
    child.kill('SIGINT');
    assert.deepEqual(await ended, [0, null]);
    await edit(HELLO, { title: { en: 'Hello' } });
  });

  test('is right about nginx, which passes streams on at once', async () => {
    const nginx = await startExampleNginx({ upstreams: [berth.url] });
    const aborted = new AbortController();
    try {
      const response = await fetch(`${nginx.url}/api/v1/events/stream?types=artefact.metadata_changed`, {
        headers: { 'x-api-key': key },
        signal: aborted.signal,
      });
      let received = '';
      const reading = (async () => {
        for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) received += part;
      })().catch(() => undefined);
      await edit('tiles', { title: { en: 'Tiles' } });
      await eventually(async () => assert.match(received, /"subject":"tiles"/));
      aborted.abort();
      await reading;
    } finally {
      await nginx.close();
    }
  });

  test('has a program for each purpose and language, and a module', async () => {
    const names = [...(await readPrograms()).keys()];
    assert.deepEqual(names.sort(), [...INVALIDATING, ...TELLING, 'berth_events.py'].sort());
    assert.equal([...guide.matchAll(/^```\w+$/gm)].length, names.length + 2);
  });

  test('its programs follow changes', async () => {
    await fillAll();
    startAll();
    // Of the time before, nothing is known.
    await leaves([]);
    await publishUntilTold('1.0');
    await tells(`Hello 1.0.1000: ${LINK}`);
    await fillAll();
    await edit(HELLO, { title: { fr: 'Bonjour' } });
    await publish('1.1.0');
    await upload('secret', {});
    await leaves(['tiles']);
    await tells(`Hello 1.0.1000: ${LINK}`, `Bonjour 1.1.0: ${LINK}`);
  });

  test('its programs go on after a restart of the registry', async () => {
    await berth.close();
    berth = await startTestServer(place);
    await fillAll();
    await publish('1.2.0');
    await leaves(['tiles']);
    await tells(`Bonjour 1.1.0: ${LINK}`, `Bonjour 1.2.0: ${LINK}`);
  });

  test('its programs wait for a room that cannot be reached', async () => {
    chat.isDown = true;
    await publish('1.3.0');
    await Promise.all(TELLING.map((name) => hasEffect(name, () => chat.refusals(name) > 0, true)));
    chat.isDown = false;
    await tells(`Bonjour 1.2.0: ${LINK}`, `Bonjour 1.3.0: ${LINK}`);
  });

  test('its programs go on where they were killed', async () => {
    await killAll();
    await fillAll();
    await publish('1.4.0');
    await upload('notes');
    startAll();
    await leaves(['tiles']);
    await tells(
      `Bonjour 1.3.0: ${LINK}`,
      `Bonjour 1.4.0: ${LINK}`,
      'notes notes.bin: http://localhost/artefacts/notes',
    );
  });

  test('its programs begin anew with a cursor that is not known', async () => {
    await killAll();
    await fillAll();
    const lost = '01a230ad-beaf-780d-b052-47996a5b1eb5';
    for (const { folder } of caches.values()) await writeFile(join(folder, 'cursor'), lost);
    for (const name of TELLING) await writeFile(join(user.home, `place of ${name}`, 'chat.cursor'), lost);
    startAll();
    await leaves([], ['invalidate_cache.py', 'invalidate-cache.sh']);
    await publishUntilTold('2.0');
    await tells(`Bonjour 2.0.1000: ${LINK}`);
    await leaves(['tiles'], ['invalidate-cache.mjs']);
  });
});

/** The names of the fields of a document, at any depth, with the types of their values. */
function fieldsOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fieldsOf(item)]));
}
