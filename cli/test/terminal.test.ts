// Nothing that a registry sends controls the terminal, whatever the command; --json keeps every value.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { escapeControls } from '../src/terminal.ts';
import { CONTROLS, HOSTILE, startHostileRegistry, type HostileRegistry } from './hostile-registry.ts';
import { writeFiles } from './packages.ts';
import { PROGRAM } from './test-registry.ts';

/** Every command that is a client of a registry, with parameters; `REMOTE` is found by its name. */
const COMMANDS: Record<string, string[][]> = {
  publish: [['publish', 'package.tgz', '--id', 'x']],
  upload: [['upload', 'file', '--id', 'x']],
  pull: [['pull', 'x', '--dir', 'cache']],
  ls: [['ls']],
  info: [['info', 'x']],
  events: [['events'], ['events', '--follow']],
  login: [['login', 'URL'], ['login', 'URL', '--email', 'a@example.org']],
  token: [['token']],
  keys: [['keys', 'create', 'x'], ['keys', 'ls'], ['keys', 'rotate', 'x'], ['keys', 'revoke', 'x']],
  publishers: [
    ['publishers', 'add', 'x', '--provider', 'github', '--repository', 'a/b', '--any-ref'],
    ['publishers', 'ls'],
    ['publishers', 'remove', 'x'],
  ],
  grants: [['grants', 'create', 'organization:acme'], ['grants', 'ls'], ['grants', 'revoke', 'x']],
  import: [['import', 'plugins'], ['import', '--from', 'URL']],
  remotes: [
    ['remotes', 'add', 'URL', '--name', 'x'],
    ['remotes', 'ls'],
    ['remotes', 'show', 'staging'],
    ['remotes', 'show', 'unknown'],
    ['remotes', 'set', 'staging', '--schedule', 'never'],
    ['remotes', 'remove', 'staging'],
    ['remotes', 'artefacts', 'staging'],
    ['remotes', 'select', 'staging', 'x'],
    ['remotes', 'unselect', 'staging', 'x'],
    ['remotes', 'sync', 'staging'],
    ['remotes', 'sync', 'staging', '--detach'],
  ],
}; // prettier-ignore
/** Commands that talk to no registry. */
const OTHERS = ['serve', 'backup', 'restore', 'scrub', 'gc', 'migrate', 'secrets', 'completion'];

describe('a hostile registry', () => {
  let registry: HostileRegistry;
  const scratch = mkdtempSync(join(tmpdir(), 'berth-terminal-'));
  before(async () => {
    registry = await startHostileRegistry();
    writeFiles(scratch, {
      'file': 'x',
      'plugins/file': 'x',
      'tar/package/package.json': { name: 'x', version: '1.0.0' },
    });
    await new Promise((done) =>
      execFile('tar', ['czf', 'package.tgz', '-C', 'tar', 'package'], { cwd: scratch }, done),
    );
  });
  after(() => {
    registry.stop();
    rmSync(scratch, { recursive: true });
  });

  async function berth(words: string[]) {
    const settings = join(scratch, 'home/.config/berth');
    mkdirSync(settings, { recursive: true });
    writeFileSync(join(settings, 'config.json'), JSON.stringify({ url: registry.url, session: 'a=b' }));
    const env = {
      PATH: process.env['PATH'],
      HOME: join(scratch, 'home'),
      BERTH_URL: registry.url,
      BERTH_SECRET_KEY: 'secret',
      BERTH_REMOTE_KEY: 'reg_1',
      BERTH_PASSWORD: 'a long pass phrase',
      ACTIONS_ID_TOKEN_REQUEST_URL: registry.url,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x',
      ...(words[0] !== 'token' && { BERTH_API_KEY: 'reg_1' }),
    };
    const parameters = words.map((word) => (word === 'URL' ? registry.url : word));
    return new Promise<{ stdout: string; stderr: string }>((done) => {
      const child = execFile(
        process.execPath,
        [PROGRAM, ...parameters],
        { env, cwd: scratch },
        (_error, stdout, stderr) => {
          done({ stdout, stderr });
        },
      );
      child.stdin?.end();
    });
  }

  for (const [name, lines] of Object.entries(COMMANDS))
    test(name, async () => {
      let shown = 0;
      for (const refuseWith of [undefined, 400])
        for (const words of refuseWith === undefined ? lines : lines.slice(0, 1)) {
          Object.assign(registry, { refuseWith, fields: { name: 'staging', format: 'npm', value: 'token' } });
          const { stdout, stderr } = await berth(words);
          const output = stdout + stderr;
          assert.notEqual(output, '', words.join(' '));
          assert.doesNotMatch(output, CONTROLS, words.join(' '));
          assert.doesNotMatch(output, /TypeError|is not a function|Cannot read/, output);
          // Nor can a value look like another line of the output.
          assert.doesNotMatch(output, /^berth publish: done/m, words.join(' '));
          if (output.includes('FAKE')) shown++;
        }
      assert.ok(shown > 0, 'the hostile text is shown, so this tests something');
    });

  test('--json keeps every value', async () => {
    Object.assign(registry, { refuseWith: undefined, fields: {} });
    const { stdout } = await berth(['info', 'x', '--json']);
    assert.equal((JSON.parse(stdout) as { packageName: string }).packageName, HOSTILE);
    assert.doesNotMatch(stdout.trimEnd(), CONTROLS);
  });

  test('every command of a registry is among these, and only one module prints', () => {
    const main = readFileSync(join(import.meta.dirname, '../src/main.ts'), 'utf8');
    const names = [...main.matchAll(/^ +(?:\{ )?(\w+): async \(\) =>/gm)].map(([, name = '']) => name);
    assert.deepEqual(names.filter((name) => !OTHERS.includes(name)).sort(), Object.keys(COMMANDS).sort());
    const writers = globSync('src/*.ts', { cwd: join(import.meta.dirname, '..') }).filter((file) =>
      /process\.std(?:out|err)\.write|console\.|stream\.write/.test(
        readFileSync(join(import.meta.dirname, '..', file), 'utf8'),
      ),
    );
    assert.deepEqual(writers.sort(), ['src/progress.ts', 'src/terminal.ts']);
  });
});

test('texts of all languages, emojis and tables of line breaks stay as they are', () => {
  const text = 'é 日本語 עברית می‌خواهم 👩‍👩‍👧 ▲\n\tnext';
  assert.equal(escapeControls(text), text);
  assert.equal(escapeControls('\u001b[2J\u{e0001}'), '\\u001b[2J\\udb40\\udc01');
  const json = JSON.stringify({ a: '\\\u009b\\\\\u202e' });
  assert.deepEqual(JSON.parse(escapeControls(json)), JSON.parse(json));
});
