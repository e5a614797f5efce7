// Finds broken references in Markdown files: links, paths, npm scripts and berth commands that do not exist.

import { existsSync, globSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';

/** npm subcommands that need no script in package.json. */
const NPM_COMMANDS = new Set(['ci', 'install', 'exec', 'pack', 'publish', 'rebuild', 'view', 'run']);
/** Generated folders, which a fresh clone does not have. */
const GENERATED = new Set(['node_modules', 'dist', 'data', '.cache']);

export interface BrokenReference {
  line: number;
  names: string;
}

/** Language of blocks that show what a program prints. */
const OUTPUT = 'text';

/** Lists the Markdown files below `root`, except installed and generated ones. */
export function listMarkdown(root: string): string[] {
  return globSync('**/*.md', { cwd: root, exclude: (path) => GENERATED.has(basename(path)) }).sort();
}

/**
 * Finds references in the Markdown file `path` that `root` does not have: targets and headings of relative links,
 * `npm run …` without a script, `berth …` without a command, and paths that begin with a folder or file of the
 * repository or of the package around `path`. A `*` in a path is a wildcard; text with `<…>` or `…` is an example. A
 * file that the page tells its reader to create (a line that starts with "New file" and its path) need not exist.
 * Blocks of `text` show output, and are not read.
 */
export function findBrokenReferences(
  root: string,
  path: string,
  berthCommands: ReadonlySet<string>,
): BrokenReference[] {
  const file = join(root, path);
  const bases = [root, dirname(file)];
  const scripts = readScripts(root, dirname(file));
  const markdown = readFileSync(file, 'utf8');
  const created = new Set([...markdown.matchAll(/^New file `([^`]+)`/gm)].map((match) => match[1]));
  let fence: string | undefined;
  return markdown.split('\n').flatMap((text, index) => {
    const [, language] = /^\s*(?:```|~~~)(\w*)/.exec(text) ?? [];
    if (language !== undefined) {
      fence = fence === undefined ? language : undefined;
      return [];
    }
    if (fence === OUTPUT) return [];
    const isFenced = fence !== undefined;
    const commands = isFenced ? [text] : [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
    const links = isFenced
      ? []
      : [...text.replaceAll(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)[^)]*\)/g)].map((match) => match[1] ?? '');
    return [
      ...links.filter((link) => !resolves(link, file)),
      ...commands.flatMap((command) => [
        ...missingScripts(command, scripts),
        ...missingCommands(command, berthCommands),
        ...missingPaths(command, bases).filter((missing) => !created.has(missing)),
      ]),
    ].map((names) => ({ line: index + 1, names }));
  });
}

function resolves(link: string, from: string): boolean {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return true;
  const [path = '', heading] = link.split('#');
  const target = path === '' ? from : resolve(dirname(from), decodeURIComponent(path));
  if (!existsSync(target)) return false;
  return (
    heading === undefined || !target.endsWith('.md') || headingsOf(readFileSync(target, 'utf8')).includes(heading)
  );
}

/** Anchors as code hosts generate them: lower case, hyphens for spaces, no punctuation. */
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
      const isInRepository = first !== '..' && bases.some((base) => readdirSync(base).includes(first));
      return (
        isInRepository &&
        !parts.some((part) => GENERATED.has(part)) &&
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
