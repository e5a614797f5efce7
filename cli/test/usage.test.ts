// Help texts, and the errors of invalid command lines; without a server.

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

describe('an invalid command line exits with status 2', () => {
  const invalid: [words: string[], line: string][] = [
    [['backup'], 'berth backup: missing parameter DIR; see berth backup --help'],
    [['backup', 'a', 'b'], 'berth backup: unexpected parameter b; see berth backup --help'],
    [['restore', 'a', '--force'], 'berth restore: unknown option --force; see berth restore --help'],
    [['gc', '--dry-run=yes'], "berth gc: option '--dry-run' does not take an argument; see berth gc --help"],
  ];
  for (const [words, line] of invalid)
    test(words.join(' '), () => {
      assert.deepEqual(berth(words), { status: 2, stdout: '', stderr: `${line}\n` });
    });
});

test('a failure is one line on standard error and exit status 1', () => {
  assert.deepEqual(berth(['scrub'], { DATA_DIR: join(scratch, 'nowhere') }), {
    status: 1,
    stdout: '',
    stderr:
      `berth scrub: DATA_DIR (${join(scratch, 'nowhere')}) contains no berth.db. Set DATA_DIR to the ` +
      `folder of the instance, or set DATABASE_URL.\n`,
  });
  assert.match(
    berth(['restore', join(scratch, 'none')], { DATA_DIR: join(scratch, 'empty') }).stderr,
    /^berth restore: \S+none contains no manifest\.json: [^\n]+\n$/,
  );
});

test('the help of each command lists its options and examples', () => {
  for (const name of ['backup', 'restore', 'scrub', 'gc', 'migrate']) {
    const { status, stdout } = berth([name, '--help']);
    assert.equal(status, 0);
    assert.match(
      stdout,
      new RegExp(`^Usage: berth ${name} .*\\n\\n[^]+--json +\\S[^]+Examples:\\n {2}\\S*.*berth ${name}\\s`),
      stdout,
    );
    assert.match(berth(['--help']).stdout, new RegExp(`^ {2}${name} +\\S`, 'm'));
  }
});

test('the help of berth secrets reset says what is lost', () => {
  const { status, stdout } = berth(['secrets', 'reset', '--help']);
  assert.equal(status, 0);
  assert.match(stdout, /^Usage: berth secrets reset \[--confirm\][^]+second factors[^]+--confirm +\S/);
});

test('berth remotes dispatches to its subcommands', () => {
  assert.match(berth(['remotes', '--help']).stdout, /export .* write artefacts to a bundle file/);
  assert.match(berth(['remotes', 'export', '--help']).stdout, /^Usage: berth remotes export FILE PATTERN…/);
  assert.deepEqual(
    [berth(['remotes']).status, berth(['remotes', 'sail']).status, berth(['remotes', 'export', 'f']).status],
    [2, 2, 2],
  );
  const { stderr } = berth(['remotes', 'export', 'f']);
  assert.equal(stderr, 'berth remotes: missing parameter PATTERN; see berth remotes --help\n');
});
