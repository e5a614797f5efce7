import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { ensureNode } from '../../scripts/test-programs.ts';

const PROGRAM = join(import.meta.dirname, '../bin/berth.js');
const scratch = mkdtempSync(join(tmpdir(), 'berth-cli-'));
after(() => {
  rmSync(scratch, { recursive: true });
});

let olderNode: string;
before(async () => {
  olderNode = await ensureNode('20.20.2');
});

const environment = (more: Record<string, string> = {}) => ({
  PATH: process.env['PATH'],
  HOST: '127.0.0.1',
  PORT: '0',
  DATA_DIR: join(scratch, 'data'),
  ...more,
});

function berth(
  words: string[],
  { node = process.execPath, env = {} }: { node?: string; env?: Record<string, string> } = {},
) {
  const { status, stdout, stderr } = spawnSync(node, [PROGRAM, ...words], { encoding: 'utf8', env: environment(env) });
  return { status, stdout, stderr };
}

test('berth serve runs until it is interrupted, then exits with status 0', async () => {
  const server = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(server, 'exit');
  for await (const line of createInterface(server.stdout)) {
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(line) ?? [];
    if (url === undefined) continue;
    assert.equal(await (await fetch(`${url}/api/ping`)).text(), 'ok');
    break;
  }
  server.kill('SIGINT');
  server.kill('SIGINT');
  assert.deepEqual(await exited, [0, null]);
});

test('a failed start prints one line and exits with status 1', () => {
  assert.deepEqual(berth(['serve'], { env: { PORT: 'harbour' } }), {
    status: 1,
    stdout: '',
    stderr: 'Berth cannot start: PORT is "harbour", but it must be an integer from 0 to 65535.\n',
  });
});

test('a Node that is too old for the server is refused in one line', () => {
  assert.deepEqual(berth(['serve'], { node: olderNode }), {
    status: 1,
    stdout: '',
    stderr: 'berth serve: the server requires Node 22.19 or later; this is v20.20.2\n',
  });
});

test('--help lists the commands, --version prints the version', () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    version: string;
  };
  assert.deepEqual(berth(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' });
  assert.match(berth(['--help']).stdout, /^Usage: berth <command>\n\n {2}publish {2}\S/);
  assert.match(berth(['serve', '--help']).stdout, /^Usage: berth serve\n\n[^]+PORT/);
});

test('an invalid command line is one line on standard error and exit status 2', () => {
  assert.deepEqual(berth(['launch']), {
    status: 2,
    stdout: '',
    stderr: 'berth: unknown command launch; see berth --help\n',
  });
  assert.deepEqual(berth(['toString']), {
    status: 2,
    stdout: '',
    stderr: 'berth: unknown command toString; see berth --help\n',
  });
  assert.deepEqual(berth([]), { status: 2, stdout: '', stderr: 'berth: missing command; see berth --help\n' });
  assert.deepEqual(berth(['serve', '--port', '1']), {
    status: 2,
    stdout: '',
    stderr: 'berth serve: unexpected --port 1: settings are environment variables; see berth serve --help\n',
  });
});
