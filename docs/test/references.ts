// Finds what a Markdown file names and the repository does not have: links, paths and npm commands.

import { existsSync, globSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';

/** Subcommands of npm that need no script in package.json. */
const NPM_COMMANDS = new Set(['ci', 'install', 'exec', 'pack', 'publish', 'rebuild', 'view', 'run']);
/** What is made here and is not in a fresh clone. */
const MADE_HERE = new Set(['node_modules', 'dist', 'data', '.cache']);

export interface BrokenReference {
  line: number;
  names: string;
}

/** Lists Markdown files below `root`, without those that were installed or made. */
export function listMarkdown(root: string): string[] {
  return globSync('**/*.md', { cwd: root, exclude: (path) => MADE_HERE.has(basename(path)) }).sort();
}

/**
 * Finds what `path` names and `root` does not have: targets of relative links and their headings, `npm run …`
 * without a script, `berth …` without a command, paths that begin with a folder or file of the repository or of the
 * package around `path`. A `*` in a path stands for what matches, and what holds `<…>` or `…` is an example.
 */
export function findBrokenReferences(
  root: string,
  path: string,
  berthCommands: ReadonlySet<string>,
): BrokenReference[] {
  const file = join(root, path);
  const bases = [root, dirname(file)];
  const scripts = readScripts(root, dirname(file));
  let fenced = false;
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((text, index) => {
      if (/^\s*(```|~~~)/.test(text)) {
        fenced = !fenced;
        return [];
      }
      const commands = fenced ? [text] : [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
      const links = fenced
        ? []
        : [...text.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)[^)]*\)/g)].map((match) => match[1] ?? '');
      return [
        ...links.filter((link) => !reaches(link, file)),
        ...commands.flatMap((command) => [
          ...missingScripts(command, scripts),
          ...missingCommands(command, berthCommands),
          ...missingPaths(command, bases),
        ]),
      ].map((names) => ({ line: index + 1, names }));
    });
}

function reaches(link: string, from: string): boolean {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return true;
  const [path = '', heading] = link.split('#');
  const target = path === '' ? from : resolve(dirname(from), decodeURIComponent(path));
  if (!existsSync(target)) return false;
  return (
    heading === undefined || !target.endsWith('.md') || headingsOf(readFileSync(target, 'utf8')).includes(heading)
  );
}

/** Anchors as code hosts make them: lower case, hyphens for spaces, no punctuation. */
function headingsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+\s+(.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  );
}

function missingScripts(command: string, scripts: Set<string>): string[] {
  return [...command.matchAll(/\bnpm (?:(run) )?([\w:.-]+)/g)].flatMap(([names, run, name = '']) => {
    return scripts.has(name) || (!run && NPM_COMMANDS.has(name)) ? [] : [names];
  });
}

function missingCommands(command: string, known: ReadonlySet<string>): string[] {
  return [...command.matchAll(/(?:^|[\s;&|])berth ([a-z][\w-]*)/g)].flatMap(([, name = '']) =>
    known.has(name) ? [] : [`berth ${name}`],
  );
}

function missingPaths(command: string, bases: string[]): string[] {
  const words = command
    .split(/[\s"'`()=,;|&@]+/)
    .map((word) => word.replace(/^\.\//, '').replace(/(:\d+)?[.:]?$/, ''));
  return words
    .filter((word) => word.includes('/') && !/[<>…{}$]|NNNN/.test(word))
    .filter((word) => {
      const [first = ''] = word.split('/');
      const parts = word.split('/');
      const isOurs = first !== '..' && bases.some((base) => readdirSync(base).includes(first));
      return (
        isOurs &&
        !parts.some((part) => MADE_HERE.has(part)) &&
        !bases.some((base) => globSync(word.replace(/\/$/, ''), { cwd: base }).length > 0)
      );
    });
}

function readScripts(root: string, directory: string): Set<string> {
  const folders = [root, ...(relative(root, directory) === '' ? [] : [directory])].filter((folder) =>
    existsSync(join(folder, 'package.json')),
  );
  return new Set(
    folders.flatMap((folder) => {
      const { scripts = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        scripts?: Record<string, string>;
      };
      return Object.keys(scripts);
    }),
  );
}
