// The berth command: picks what to run, and says in one line what went wrong. Each command has a file of its own.

import { readManifest } from './manifest.ts';
import { serve } from './serve.ts';
import { UsageError, type Command } from './command.ts';

const COMMANDS: Record<string, Command> = { serve };

/**
 * Runs one command line and sets the exit status: 2 where it is not understood, 1 where it fails.
 * @param words what follows `berth`: `['serve']`
 */
export async function run(words: string[]): Promise<void> {
  const [name = '', ...parameters] = words;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (name === '--help' || name === '-h') return print(help());
    if (name === '--version' || name === '-v') return print(readManifest().version);
    if (!command) throw new UsageError(name === '' ? 'name a command' : `there is no command ${name}`);
    if (parameters.includes('--help') || parameters.includes('-h')) return print(`${command.usage}\n\n${command.description}`);
    await command.run(parameters);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`berth${command ? ` ${name}` : ''}: ${reason}${isUsage ? `; see berth ${command ? `${name} ` : ''}--help` : ''}\n`);
    process.exitCode = isUsage ? 2 : 1;
  }
}

function help(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: berth <command>\n\n${lines.join('\n')}\n\nberth <command> --help says more; berth --version tells which Berth this is.`;
}

function print(text: string): void { process.stdout.write(`${text}\n`); }
