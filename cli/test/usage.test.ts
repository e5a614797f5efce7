// What the command says of itself, and of a command line that is not right: no server is needed.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const PROGRAM = join(import.meta.dirname, '../bin/berth.js');
const scratch = mkdtempSync(join(tmpdir(), 'berth-usage-'));
after(() => {
  rmSync(scratch, { recursive: true });
});

function berth(words: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...words], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...env },
  });
  return { status, stdout, stderr };
}

describe('a command line that is not understood exits 2', () => {
  const refusals: [words: string[], line: string][] = [
    [['backup'], 'berth backup: name DIR; see berth backup --help'],
    [['backup', 'a', 'b'], 'berth backup: b is one parameter too many; see berth backup --help'],
    [['restore', 'a', '--force'], 'berth restore: there is no option --force; see berth restore --help'],
    [['gc', '--dry-run=yes'], "berth gc: option '--dry-run' does not take an argument; see berth gc --help"],
  ];
  for (const [words, line] of refusals)
    test(words.join(' '), () => {
      assert.deepEqual(berth(words), { status: 2, stdout: '', stderr: `${line}\n` });
    });
});

test('what fails is one line and exit status 1', () => {
  assert.deepEqual(berth(['scrub'], { DATA_DIR: join(scratch, 'nowhere') }), {
    status: 1,
    stdout: '',
    stderr:
      `berth scrub: DATA_DIR (${join(scratch, 'nowhere')}) contains no berth.db. Set DATA_DIR to the ` +
      `folder of the instance, or set DATABASE_URL.\n`,
  });
  assert.match(
    berth(['restore', join(scratch, 'none')], { DATA_DIR: join(scratch, 'empty') }).stderr,
    /^berth restore: \S+none holds no manifest\.json: [^\n]+\n$/,
  );
});

test('each command explains itself with examples', () => {
  for (const name of ['backup', 'restore', 'scrub', 'gc', 'migrate']) {
    const { status, stdout } = berth([name, '--help']);
    assert.equal(status, 0);
    assert.match(
      stdout,
      new RegExp(`^Usage: berth ${name} .*\\n\\n[^]+--json +\\S[^]+Examples:\\n {2}\\S*.*berth ${name} `),
      stdout,
    );
    assert.match(berth(['--help']).stdout, new RegExp(`^ {2}${name} +\\S`, 'm'));
  }
});

test('berth remotes is understood by its next word', () => {
  assert.match(berth(['remotes', '--help']).stdout, /export .* write chosen artefacts into one file/);
  assert.match(berth(['remotes', 'export', '--help']).stdout, /^Usage: berth remotes export FILE PATTERN…/);
  assert.deepEqual(
    [berth(['remotes']).status, berth(['remotes', 'sail']).status, berth(['remotes', 'export', 'f']).status],
    [2, 2, 2],
  );
  assert.equal(berth(['remotes', 'export', 'f']).stderr, 'berth remotes: name PATTERN; see berth remotes --help\n');
});
