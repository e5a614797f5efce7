// The first superadmin exists, and is announced, before the first request is answered.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type BerthServer, type ServerOptions } from '../index.ts';
import { freePort } from './support/free-port.ts';
import { createTestDatabaseUrl } from './support/postgres.ts';

const SERVER = join(import.meta.dirname, '../server.ts');
const EMAIL = 'admin@example.org';
const SECRETS = { API_KEYS_SALT: 's'.repeat(32), CIPHER_PASSWORD: 'c'.repeat(32), AUTH_SECRET: 'a'.repeat(32) };
const scratch = mkdtempSync(join(tmpdir(), 'berth-first-start-'));
after(() => {
  rmSync(scratch, { recursive: true });
});

let last = 0;
const newFolder = () => join(scratch, `data-${++last}`);

/** Asks until somebody answers, several times at once, as those who wait for a start do. */
async function firstAnswer<T>(ask: () => Promise<T>, { signal, onFailure }: Waiting = {}): Promise<T> {
  const found = new AbortController();
  const knock = async (): Promise<T | undefined> => {
    while (!found.signal.aborted && !signal?.aborted) {
      const answer = await ask().catch((error: unknown) => {
        onFailure?.(error);
      });
      if (answer !== undefined) return answer;
      await sleep(3);
    }
    return undefined;
  };
  const answers = Array.from({ length: 4 }, knock);
  const answer = await Promise.race(answers);
  found.abort();
  await Promise.all(answers);
  if (answer === undefined) throw new Error('nobody has answered');
  return answer;
}

interface Waiting {
  signal?: AbortSignal;
  onFailure?: (error: unknown) => void;
}

function signIn(url: string, password: string): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'origin': url };
  const body = JSON.stringify({ email: EMAIL, password });
  return fetch(`${url}/api/auth/sign-in/email`, { method: 'POST', headers, body });
}

/** The password that was made, where one was said. */
const passwordIn = (said: string) => /Sign in as \S+ with the password (\S+) \(shown only now\)/.exec(said)?.[1];

interface Started {
  /** With the exit status. */
  exited: Promise<[number | null]>;
  url: string;
  said(): string;
  complaints(): string;
}

/** Runs the server as a process, until the test has ended. What it says goes into files, which have it at once. */
function startProcess(t: TestContext, port: number, env: Record<string, string>): Started {
  const [out, err] = [join(scratch, `out-${++last}`), join(scratch, `err-${last}`)];
  const files = [openSync(out, 'w'), openSync(err, 'w')] as const;
  const settings = { HOST: '127.0.0.1', PORT: String(port), LOG_LEVEL: 'silent', ADMIN_EMAIL: EMAIL, ...env };
  const child = spawn(process.execPath, [SERVER], {
    env: { PATH: process.env.PATH, ...settings },
    stdio: ['ignore', ...files],
  });
  files.forEach((file) => {
    closeSync(file);
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  t.after(async () => {
    child.kill();
    await exited;
  });
  return {
    exited,
    url: `http://127.0.0.1:${port}`,
    said: () => readFileSync(out, 'utf8'),
    complaints: () => readFileSync(err, 'utf8'),
  };
}

describe('a first start', () => {
  test('signs the superadmin in with the very first answer', async (t) => {
    const port = await freePort();
    const answering = firstAnswer(() => signIn(`http://127.0.0.1:${port}`, 'a long pass phrase'));
    startProcess(t, port, { DATA_DIR: newFolder(), ADMIN_PASSWORD: 'a long pass phrase' });
    assert.equal((await answering).status, 200);
  });

  test('has said the password that it made when it gives its first answer', async (t) => {
    const port = await freePort();
    const started = startProcess(t, port, { DATA_DIR: newFolder() });
    const password = await firstAnswer(async () => {
      await (await fetch(`${started.url}/api/ping`)).text();
      return passwordIn(started.said()) ?? 'none was said';
    });
    assert.notEqual(password, 'none was said', started.complaints());
    assert.equal((await signIn(started.url, password)).status, 200);
  });

  test('that finds its port taken makes no superadmin, and the next one says a password', async (t) => {
    const taken = createNetServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const dataDir = newFolder();
    const failing = startProcess(t, (taken.address() as AddressInfo).port, { DATA_DIR: dataDir });
    assert.equal((await failing.exited)[0], 1);
    assert.match(failing.complaints(), /^Berth cannot start: PORT holds \d+, which another program/);
    assert.equal(failing.said(), '');
    taken.close();

    const port = await freePort();
    const started = startProcess(t, port, { DATA_DIR: dataDir });
    await firstAnswer(() => fetch(`${started.url}/api/ping`));
    assert.equal((await signIn(started.url, passwordIn(started.said()) ?? '')).status, 200);
  });
});

describe('requests that arrive while a server starts', () => {
  const start = (env: Record<string, string>, onReady?: ServerOptions['onReady']): Promise<BerthServer> => {
    const settings = { DATA_DIR: newFolder(), PORT: '0', LOG_LEVEL: 'silent', ADMIN_EMAIL: EMAIL, ...env };
    return createServer({ env: settings, ...(onReady && { onReady }) });
  };

  test('wait for it to be ready, and are answered then', async () => {
    const port = await freePort();
    const failures = new Set<unknown>();
    const onFailure = (error: unknown) => {
      failures.add((error as { cause?: { code?: string } }).cause?.code);
    };
    let isReady = false;
    const answering = firstAnswer(
      async () => {
        const { status } = await fetch(`http://127.0.0.1:${port}/api/health/ready`);
        return { status, isReady };
      },
      { onFailure },
    );
    const server = await start({ PORT: String(port) }, ({ address, firstSuperadmin }) => {
      assert.deepEqual([address, firstSuperadmin?.email], [`http://127.0.0.1:${port}`, EMAIL]);
      isReady = true;
    });
    assert.deepEqual(await answering, { status: 200, isReady: true });
    // Nobody was turned away once the port was bound.
    assert.deepEqual([...failures], ['ECONNREFUSED']);
    await server.close();
  });

  test('are answered by nobody where the start fails, and do not keep it from ending', async () => {
    const port = await freePort();
    const ending = new AbortController();
    const { signal } = ending;
    const answering = firstAnswer(() => fetch(`http://127.0.0.1:${port}/api/ping`), { signal });
    await assert.rejects(start({ PORT: String(port), ADMIN_EMAIL: 'nobody' }), /ADMIN_EMAIL holds nobody/);
    const failing = start({ PORT: String(port) }, () => {
      throw new Error('no room to say it');
    });
    await assert.rejects(failing, /no room/);
    ending.abort();
    await assert.rejects(answering, /nobody has answered/);
  });

  test('find one superadmin, whose password one replica has said of several that start at once', async () => {
    const database = await createTestDatabaseUrl();
    const said: string[] = [];
    const replicas = await Promise.all(
      Array.from({ length: 3 }, () =>
        start({ ...SECRETS, DATABASE_URL: database.url }, ({ firstSuperadmin }) => {
          if (firstSuperadmin) said.push(firstSuperadmin.password ?? '');
        }),
      ),
    );
    assert.equal(said.length, 1);
    for (const { address } of replicas) assert.equal((await signIn(address, said[0] ?? '')).status, 200);
    await Promise.all(replicas.map((replica) => replica.close()));
    await database.drop();
  });
});
