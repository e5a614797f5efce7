import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PROGRAM } from './test-registry.ts';

/** Command lines that make a shell load the script and print the completions of the last word. */
const COMMAND_LINES: Record<string, (script: string, words: string[]) => string[]> = {
  bash: (script, words) => [
    '-c',
    `source ${script}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); ` +
      `COMP_CWORD=${words.length - 1}; _berth; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  zsh: (script, words) => [
    '-f',
    '-c',
    `compdef() { }; compadd() { shift; print -l -- $@ }; _files() { }; source ${script}; ` +
      `words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; _berth`,
  ],
  fish: (script, words) => ['--no-config', '-c', `source ${script}; complete -C '${words.join(' ')}'`],
};

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-completion-'));
});
after(() => {
  rmSync(folder, { recursive: true });
});

for (const [shell, commandLine] of Object.entries(COMMAND_LINES)) {
  describe(`completion for ${shell}`, () => {
    let script: string;
    before(() => {
      script = join(folder, shell);
      writeFileSync(script, execFileSync(process.execPath, [PROGRAM, 'completion', shell]));
    });

    const complete = (...words: string[]) =>
      execFileSync(shell, commandLine(script, ['berth', ...words]), {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { PATH: process.env['PATH'], HOME: folder, TERM: 'dumb' },
      })
        .split('\n')
        .map((line) => line.split('\t', 1)[0]?.trim() ?? '')
        .filter((word) => word.startsWith(words.at(-1) ?? '') && word !== '');

    test('completes commands', () => {
      assert.deepEqual(complete('pu').sort(), ['publish', 'publishers', 'pull']);
    });

    test('completes subcommands and their options', () => {
      assert.deepEqual(complete('keys', 'r').sort(), ['revoke', 'rotate']);
      assert.deepEqual(complete('keys', 'rotate', '--o'), ['--overlap']);
      assert.deepEqual(complete('publish', '--b'), ['--bundle']);
      assert.deepEqual(complete('publish', '.', '--dry'), ['--dry-run']);
    });

    test('completes the values of a parameter', () => {
      assert.deepEqual(
        complete('completion', 'f').filter((word) => ['bash', 'zsh', 'fish'].includes(word)),
        ['fish'],
      );
    });
  });
}

test('an unsupported shell is refused with the supported ones', () => {
  assert.throws(
    () => execFileSync(process.execPath, [PROGRAM, 'completion', 'csh'], { stdio: 'pipe', encoding: 'utf8' }),
    ({ status, stderr }: { status: number; stderr: string }) =>
      status === 2 && stderr.includes('expected one of bash, zsh, fish'),
  );
});
