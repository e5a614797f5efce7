// Generates the reference pages from the code. `npm run docs:write` writes them; a test in docs/test/ keeps them up to
// date.

import { globSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { configReference } from '../api/src/config/index.ts';
import { definedErrors } from '../api/src/errors.ts';
import { repositoryRoot } from './runtime.ts';

/** Renderers of the generated pages, by path. */
export const REFERENCE_PAGES: Record<string, () => Promise<string> | string> = {
  'docs/reference/configuration.md': renderConfiguration,
  'docs/reference/errors.md': renderErrors,
};

if (import.meta.main && process.argv.includes('--write')) {
  for (const [path, render] of Object.entries(REFERENCE_PAGES)) {
    await mkdir(dirname(join(repositoryRoot, path)), { recursive: true });
    await writeFile(join(repositoryRoot, path), await render());
    console.log(path);
  }
}

function renderConfiguration(): string {
  const secrets = configReference().filter(({ isSecret }) => isSecret);
  return `# Configuration

Berth reads these environment variables once, on startup. \`BERTH_CONFIG\` may name a JSON or YAML file with the same
names; the environment takes precedence. An invalid value, or an unknown key in the file, aborts the startup with a
message that names the variable, its value and the permitted values; secrets are never shown.

White space around a value is ignored, except in secrets: around those only line ends are ignored, and other white
space is refused. No value may contain control characters.

**Secrets in files.** A secret can be given in a file, such as a Docker or Kubernetes secret or a systemd credential:
\`AUTH_SECRET_FILE=/run/secrets/auth\` makes the content of that file the value of \`AUTH_SECRET\`. It is refused if
both variables are set, and if the file is empty or cannot be read. This applies to:
${fill(secrets.map(({ name }) => code(name)).join(', '))}.

${table(
  ['variable', 'default', 'meaning'],
  configReference().map((setting) => [code(setting.name), code(setting.default), setting.description]),
)}`;
}

async function renderErrors(): Promise<string> {
  const files = globSync('api/src/**/errors.ts', { cwd: repositoryRoot });
  await Promise.all(files.map((path) => import(pathToFileURL(join(repositoryRoot, path)).href)));
  const errors = [...definedErrors().values()].sort((a, b) => (a.code < b.code ? -1 : 1));
  return `# Errors

Failed requests are answered with a problem document (RFC 9457, \`application/problem+json\`): \`status\`, \`title\`,
a \`detail\` that says what to do, and a \`code\` that never changes between releases. Programs should check the code.

${table(
  ['code', 'status', 'title'],
  errors.map((error) => [code(error.code), String(error.status), error.title]),
)}`;
}

/** Breaks a text into lines of at most 119 characters. */
function fill(text: string): string {
  return text.replace(/(?=.{120}).{1,119}(?= )/g, (line) => `${line}\n`).replaceAll('\n ', '\n');
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('');
}

function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}
