import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { eventually } from './support/eventually.ts';
import { MULTIPART_TYPE, openConnection, requestHead } from './support/raw-http.ts';

interface LogLine {
  msg: string;
  path?: string;
  status?: number;
  abortedDuring?: string;
  bytesIn?: number;
  actor?: unknown;
}

for (const signal of ['SIGTERM', 'SIGHUP'] as const)
  test(`${signal} waits for requests, cuts those that take too long, and the log says so`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'berth-shutdown-'));
    const child = spawn(process.execPath, [join(repositoryRoot, 'api/server.ts')], {
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        DATA_DIR: folder,
        SHUTDOWN_GRACE_SECONDS: '1',
        SECRET_INTERNAL_SERVICES: 'internal-secret',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // After its output has been read, too.
    const exited = once(child, 'close');
    const output: string[] = [];
    createInterface(child.stdout).on('line', (line) => output.push(line));
    const lines = () => output.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
    try {
      const url = await eventually(async () => {
        const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(lines()[0]?.msg ?? '') ?? [];
        assert.ok(address);
        return address;
      }, 60_000);
      await fetch(`${url}/api/health/ready`);
      const connection = await openConnection(url);
      await connection.send(
        requestHead('POST', '/api/v1/artefacts/file/large', {
          'x-secret-key': 'internal-secret',
          'content-type': MULTIPART_TYPE,
          'content-length': 1_000_000,
          'expect': '100-continue',
        }),
      );
      assert.equal(await connection.interim(), 100);
      await connection.send('x'.repeat(1000));
      child.kill(signal);
      assert.deepEqual(await exited, [0, null]);
      const [upload, ...others] = lines().filter(({ msg }) => msg === 'request');
      assert.deepEqual(others, []);
      assert.ok(lines().some(({ msg }) => msg === 'stopping, requests in progress: 1'));
      const { path, status, abortedDuring, bytesIn = 0, actor } = upload ?? {};
      assert.deepEqual(
        { path, status, abortedDuring, actor },
        { path: '/api/v1/artefacts/file/large', status: 499, abortedDuring: 'upload', actor: { kind: 'internal' } },
      );
      assert.ok(bytesIn > 1000);
      assert.equal(lines().at(-1)?.msg, 'stopped, requests cut: 1');
    } finally {
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  });
