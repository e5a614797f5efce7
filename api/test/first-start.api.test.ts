// The first superadmin is created, and their password printed, before the first request is answered.

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

/** Sends requests, four at a time, until one is answered, as clients that wait for a start do. */
async function firstResponse<T>(send: () => Promise<T>, { signal, onFailure }: RetryOptions = {}): Promise<T> {
  const answered = new AbortController();
  const retry = async (): Promise<T | undefined> => {
    while (!answered.signal.aborted && !signal?.aborted) {
      const response = await send().catch((error: unknown) => {
        onFailure?.(error);
      });
      if (response !== undefined) return response;
      await sleep(3);
    }
    return undefined;
  };
  const attempts = Array.from({ length: 4 }, retry);
  const response = await Promise.race(attempts);
  answered.abort();
  await Promise.all(attempts);
  if (response === undefined) throw new Error('no response');
  return response;
}

interface RetryOptions {
  signal?: AbortSignal;
  onFailure?: (error: unknown) => void;
}

function signIn(url: string, password: string): Promise<Response> {
  const headers = { 'content-type': 'application/json', 'origin': url };
  const body = JSON.stringify({ email: EMAIL, password });
  return fetch(`${url}/api/auth/sign-in/email`, { method: 'POST', headers, body });
}

/** The generated password in the server's output. */
const passwordIn = (output: string) => /Sign in as \S+ with the password (\S+) \(shown only now\)/.exec(output)?.[1];

interface StartedProcess {
  /** Resolves with the exit status. */
  exited: Promise<[number | null]>;
  url: string;
  stdout(): string;
  stderr(): string;
}

/** Runs the server as a process until the test ends. Its output goes to files, where it can be read immediately. */
function startProcess(t: TestContext, port: number, env: Record<string, string>): StartedProcess {
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
    stdout: () => readFileSync(out, 'utf8'),
    stderr: () => readFileSync(err, 'utf8'),
  };
}

describe('a first start', () => {
  test('can sign the superadmin in with its very first response', async (t) => {
    const port = await freePort();
    const response = firstResponse(() => signIn(`http://127.0.0.1:${port}`, 'a long pass phrase'));
    startProcess(t, port, { DATA_DIR: newFolder(), ADMIN_PASSWORD: 'a long pass phrase' });
    assert.equal((await response).status, 200);
  });

  test('prints the generated password before its first response', async (t) => {
    const port = await freePort();
    const started = startProcess(t, port, { DATA_DIR: newFolder() });
    const password = await firstResponse(async () => {
      await (await fetch(`${started.url}/api/ping`)).text();
      return passwordIn(started.stdout()) ?? 'none was printed';
    });
    assert.notEqual(password, 'none was printed', started.stderr());
    assert.equal((await signIn(started.url, password)).status, 200);
  });

  test('on a port in use creates no superadmin, and the next start prints a password', async (t) => {
    const occupant = createNetServer().listen(0, '127.0.0.1');
    await once(occupant, 'listening');
    const dataDir = newFolder();
    const failing = startProcess(t, (occupant.address() as AddressInfo).port, { DATA_DIR: dataDir });
    assert.equal((await failing.exited)[0], 1);
    assert.match(failing.stderr(), /^Berth cannot start: PORT is \d+, which another program/);
    assert.equal(failing.stdout(), '');
    occupant.close();

    const port = await freePort();
    const started = startProcess(t, port, { DATA_DIR: dataDir });
    await firstResponse(() => fetch(`${started.url}/api/ping`));
    assert.equal((await signIn(started.url, passwordIn(started.stdout()) ?? '')).status, 200);
  });
});

describe('requests that arrive while a server starts', () => {
  const start = (env: Record<string, string>, onReady?: ServerOptions['onReady']): Promise<BerthServer> => {
    const settings = { DATA_DIR: newFolder(), PORT: '0', LOG_LEVEL: 'silent', ADMIN_EMAIL: EMAIL, ...env };
    return createServer({ env: settings, ...(onReady && { onReady }) });
  };

  test('wait until it is ready', async () => {
    const port = await freePort();
    const failures = new Set<unknown>();
    const onFailure = (error: unknown) => {
      failures.add((error as { cause?: { code?: string } }).cause?.code);
    };
    let isReady = false;
    const response = firstResponse(
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
    assert.deepEqual(await response, { status: 200, isReady: true });
    // No connection was refused once the port was bound.
    assert.deepEqual([...failures], ['ECONNREFUSED']);
    await server.close();
  });

  test('get no response if the start fails, and do not delay its end', async () => {
    const port = await freePort();
    const stopped = new AbortController();
    const { signal } = stopped;
    const response = firstResponse(() => fetch(`http://127.0.0.1:${port}/api/ping`), { signal });
    await assert.rejects(start({ PORT: String(port), ADMIN_EMAIL: 'nobody' }), /ADMIN_EMAIL is nobody/);
    const failing = start({ PORT: String(port) }, () => {
      throw new Error('cannot print');
    });
    await assert.rejects(failing, /cannot print/);
    stopped.abort();
    await assert.rejects(response, /no response/);
  });

  test('find one superadmin, announced by one of several replicas that start together', async () => {
    const database = await createTestDatabaseUrl();
    const passwords: string[] = [];
    const replicas = await Promise.all(
      Array.from({ length: 3 }, () =>
        start({ ...SECRETS, DATABASE_URL: database.url }, ({ firstSuperadmin }) => {
          if (firstSuperadmin) passwords.push(firstSuperadmin.password ?? '');
        }),
      ),
    );
    assert.equal(passwords.length, 1);
    for (const { address } of replicas) assert.equal((await signIn(address, passwords[0] ?? '')).status, 200);
    await Promise.all(replicas.map((replica) => replica.close()));
    await database.drop();
  });
});
