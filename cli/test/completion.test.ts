import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PROGRAM } from './test-registry.ts';

/** Asks a shell, which has read its script, what may follow these words; the last one is not finished. */
const ASK: Record<string, (script: string, words: string[]) => string[]> = {
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

for (const [shell, ask] of Object.entries(ASK)) {
  describe(`completion for ${shell}`, () => {
    let script: string;
    before(() => {
      script = join(folder, shell);
      writeFileSync(script, execFileSync(process.execPath, [PROGRAM, 'completion', shell]));
    });

    const complete = (...words: string[]) =>
      execFileSync(shell, ask(script, ['berth', ...words]), {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { PATH: process.env['PATH'], HOME: folder, TERM: 'dumb' },
      })
        .split('\n')
        .map((line) => line.split('\t', 1)[0]?.trim() ?? '')
        .filter((word) => word.startsWith(words.at(-1) ?? '') && word !== '');

    test('knows the commands', () => {
      assert.deepEqual(complete('pu').sort(), ['publish', 'publishers', 'pull']);
    });

    test('knows the commands of a group, and the options of each', () => {
      assert.deepEqual(complete('keys', 'r').sort(), ['revoke', 'rotate']);
      assert.deepEqual(complete('keys', 'rotate', '--o'), ['--overlap']);
      assert.deepEqual(complete('publish', '--b'), ['--bundle']);
      assert.deepEqual(complete('publish', '.', '--dry'), ['--dry-run']);
    });

    test('knows the shells', () => {
      assert.deepEqual(
        complete('completion', 'f').filter((word) => ['bash', 'zsh', 'fish'].includes(word)),
        ['fish'],
      );
    });
  });
}

test('a shell that has none is told which have', () => {
  assert.throws(
    () => execFileSync(process.execPath, [PROGRAM, 'completion', 'csh'], { stdio: 'pipe', encoding: 'utf8' }),
    ({ status, stderr }: { status: number; stderr: string }) =>
      status === 2 && stderr.includes('name one of bash, zsh, fish'),
  );
});
