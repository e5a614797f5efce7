// Follows a page that changes the sources step by step: reads its edits, new files and commands, and applies them to a
// copy of the repository.

import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { repositoryRoot } from '../../scripts/runtime.ts';

export type Step =
  | { kind: 'edit'; path: string; diff: string }
  | { kind: 'create'; path: string; text: string }
  | { kind: 'run'; commands: string };

const BLOCK = /(?:^(In|New file) `([^`\n]+)`:\n\n)?^```(\w+)\n([^]*?)^```$/gm;
const NOT_COPIED = new Set(['node_modules', '.git', '.cache', '.test-build', 'dist', 'generated', 'data']);
/** A compiled package, which the type check reads. */
const COPIED_BUILD = 'lib-node/dist';
/** Left out because the server does not use them, and the type check takes a third longer with them. */
const UNRELATED = new Set(['bench', 'deploy', 'cli/test', 'lib-node/test', 'docs/test/monorepos.test.ts']);

/** Reads the blocks of a page, in order. @throws Error if one is neither an edit, nor a new file, nor a command */
export function readSteps(page: string): Step[] {
  return [...page.matchAll(BLOCK)].map(([, verb, path = '', language, text = '']): Step => {
    if (verb === 'In' && language === 'diff') return { kind: 'edit', path, diff: text };
    if (verb === 'New file' && language === 'ts') return { kind: 'create', path, text };
    if (verb === undefined && language === 'sh') return { kind: 'run', commands: text };
    throw new Error(`no step, but a block of ${language}:\n${text}`);
  });
}

/** Applies an edit or creates a file. @throws Error if a place of the edit is missing or ambiguous */
export async function applyStep(root: string, step: Exclude<Step, { kind: 'run' }>): Promise<void> {
  const file = join(root, step.path);
  if (step.kind === 'create') await writeFile(file, step.text, { flag: 'wx' });
  else await writeFile(file, applyDiff(await readFile(file, 'utf8'), step.diff));
}

/**
 * Applies a diff whose places are separated by `@@` lines without line numbers.
 * @throws Error if the lines of a place do not occur in the text, or more than once, or a line has no valid marker
 */
export function applyDiff(text: string, diff: string): string {
  const places = diff.split(/^@@\n/m).map((place) => place.replace(/\n$/, '').split('\n'));
  return places.reduce((edited, lines) => {
    const unmarked = lines.find((line) => !/^(?:[ +-]|$)/.test(line));
    if (unmarked !== undefined) throw new Error(`this line starts with neither "+", "-" nor a space: ${unmarked}`);
    const side = (own: string) =>
      `\n${lines
        .filter((line) => line === '' || line[0] === ' ' || line[0] === own)
        .map((line) => `${line.slice(1)}\n`)
        .join('')}`;
    const [whole, old] = [`\n${edited}`, side('-')];
    const position = whole.indexOf(old);
    if (position === -1) throw new Error(`these lines are missing:${old}`);
    if (position !== whole.lastIndexOf(old)) throw new Error(`these lines are ambiguous:${old}`);
    return `${whole.slice(0, position)}${side('+')}${whole.slice(position + old.length)}`.slice(1);
  }, text);
}

/** Copies the sources of the working tree. Installed packages are linked, those of this repository to their copies. */
export async function copyRepository(to: string): Promise<void> {
  const isCopied = (path: string) => path === COPIED_BUILD || !(NOT_COPIED.has(basename(path)) || UNRELATED.has(path));
  await cp(repositoryRoot, to, {
    recursive: true,
    filter: (path) => isCopied(relative(repositoryRoot, path)),
  });
  const installed = ['node_modules', 'node_modules/@berth-registry', 'api/node_modules'];
  for (const folder of installed.filter((path) => existsSync(join(repositoryRoot, path)))) {
    await mkdir(join(to, folder), { recursive: true });
    for (const entry of await readdir(join(repositoryRoot, folder), { withFileTypes: true })) {
      if (entry.name === '@berth-registry') continue;
      const isWorkspace = basename(folder) === '@berth-registry';
      const target = isWorkspace ? join(to, entry.name) : join(repositoryRoot, folder, entry.name);
      await symlink(target, join(to, folder, entry.name));
    }
  }
}
