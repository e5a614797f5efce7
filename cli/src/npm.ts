// Runs the package managers for `berth publish`. A failure shows what they, and the scripts of the package, printed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';

/** Bytes of output that are kept, from the end. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Of a failure. */
const MAX_SHOWN_LINES = 40;
const MAX_LINE_LENGTH = 300;
/** What npm adds to each failure, and what it repeats from elsewhere. */
const NOISE = /^(?:code|errno|path|syscall|command|A complete log)\b|^$/;
const COMMANDS = new Set(['pack', 'ci', 'run', 'install', 'deploy']);
/** Where npm starts to print its help. */
const HELP = /^(?:Clean install a project|Usage:)/;

/** @returns standard output @throws Error with the exit status and the last lines of the output */
export function npm(words: string[], cwd: string): Promise<string> {
  return runTool('npm', words, cwd);
}

/** As `npm`, with another package manager. */
export async function runTool(program: string, words: string[], cwd: string): Promise<string> {
  const child = spawn(program, words, { cwd, env: withoutSecrets(process.env), stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-MAX_OUTPUT_BYTES);
    output = (output + text).slice(-MAX_OUTPUT_BYTES);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-MAX_OUTPUT_BYTES);
  });
  let ended: [number | null, NodeJS.Signals | null];
  try {
    ended = (await once(child, 'close')) as typeof ended;
  } catch (cause) {
    throw new Error(`${program} cannot be run: install it, and check the PATH`, { cause });
  }
  const [status, signal] = ended;
  if (status === 0) return stdout;
  const at = words.findIndex((word) => COMMANDS.has(word));
  const command = [program, ...words.slice(at, words[at] === 'run' ? at + 2 : at + 1)].join(' ');
  throw new Error(describeFailure(command, signal === null ? `exit status ${status}` : `signal ${signal}`, output));
}

/** The first line says what npm says, the others are what scripts printed. */
function describeFailure(command: string, status: string, output: string): string {
  const text = stripVTControlCharacters(output)
    .replaceAll(/\r\n?/g, '\n')
    // With --json, npm prints its error twice.
    .replace(/^\{\n {2}"error": \{[^]*?^\}$/m, '');
  const lines = text.split('\n').map((line) => line.trimEnd().slice(0, MAX_LINE_LENGTH));
  const own = lines.flatMap((line) => /^npm (?:error|ERR!) ?(.*)$/.exec(line)?.[1] ?? []);
  const help = own.findIndex((line) => HELP.test(line));
  const reasons = own.slice(0, help < 0 ? undefined : help).filter((line) => !NOISE.test(line));
  const printed = lines.filter((line) => line !== '' && !/^npm (?:error|ERR!|notice|warn|WARN)\b/.test(line));
  const [reason, ...more] = reasons;
  const shown = [...more, ...printed];
  const left = shown.length - MAX_SHOWN_LINES;
  return [
    `${command} failed with ${status}${reason === undefined ? '' : `: ${reason}`}`,
    ...(left > 0 ? [`… ${left} more lines before`] : []),
    ...shown.slice(-MAX_SHOWN_LINES),
  ].join('\n  ');
}

/** Removes the registry's keys and tokens from the environment: npm runs scripts of packages. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('BERTH_') && !name.startsWith('ACTIONS_ID_TOKEN_')),
  );
}
