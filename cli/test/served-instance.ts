// An instance with two artefacts and a running server, and the command on the same data.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';

export const PROGRAM = join(import.meta.dirname, '../bin/berth.js');
export const SECRET = 'internal-secret';
export const scratch = mkdtempSync(join(tmpdir(), 'berth-operations-'));
export const dataDir = join(scratch, 'data');
/** Directory of backups. */
export const directory = join(scratch, 'backup');

export type Environment = Record<string, string>;
export const environment = (more: Environment = {}) => ({
  PATH: process.env['PATH'],
  HOST: '127.0.0.1',
  PORT: '0',
  DATA_DIR: dataDir,
  SECRET_INTERNAL_SERVICES: SECRET,
  GC_GRACE_HOURS: '0',
  ...more,
});

/** Runs the command until it exits. */
export function berth(words: string[], env: Environment = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], {
    encoding: 'utf8',
    env: environment(env),
  });
  return { status, stdout, stderr };
}

/** Runs the command, which must succeed, and parses its JSON output. */
export function berthJson(words: string[], env: Environment = {}): unknown {
  const { status, stdout, stderr } = berth([...words, '--json'], env);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** Address of the server; set before the first test. */
export let url: string;
let stopServer: () => Promise<void>;

/** Starts the server before the tests of a file, and stops it after them. */
export function withServedInstance(): void {
  before(start);
  after(stop);
}

async function start(): Promise<void> {
  const server = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(server.stdout)) {
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? '';
    if (url !== '') break;
  }
  server.stdout.resume();
  stopServer = async () => {
    const exited = once(server, 'exit');
    server.kill();
    await exited;
  };
  for (const id of ['tiles', 'other']) {
    const form = new FormData();
    form.set('file', new Blob([id.repeat(1000)]), 'a.bin');
    const { status } = await fetch(`${url}/api/v1/artefacts/file/${id}`, {
      method: 'POST',
      headers: { 'x-secret-key': SECRET },
      body: form,
    });
    assert.equal(status, 201);
  }
}

async function stop(): Promise<void> {
  await stopServer();
  rmSync(scratch, { recursive: true });
}
