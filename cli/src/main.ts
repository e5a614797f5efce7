// The berth command: picks what to run, and says in one line what went wrong. Each command has a file of its own.

import { backup } from './backup.ts';
import { createCompletion } from './completion.ts';
import { UsageError, type Command } from './command.ts';
import { gc } from './gc.ts';
import { grants } from './grants.ts';
import { importPlugins } from './import.ts';
import { info } from './info.ts';
import { keys } from './keys.ts';
import { login } from './login.ts';
import { ls } from './ls.ts';
import { readManifest } from './manifest.ts';
import { migrate } from './migrate.ts';
import { publish } from './publish.ts';
import { publishers } from './publishers.ts';
import { pull } from './pull.ts';
import { remotes } from './remotes.ts';
import { restore } from './restore.ts';
import { scrub } from './scrub.ts';
import { serve } from './serve.ts';
import { token } from './token.ts';
import { upload } from './upload.ts';

/** In the order of the help: what speaks to a registry, the server, what works on its data. */
const GROUPS: Record<string, Command>[] = [{ publish, upload, pull, ls, info, login, token }, { keys, publishers, grants, import: importPlugins }, { serve }, { backup, restore, scrub, gc, migrate, remotes }, { completion: createCompletion(() => COMMANDS) }];
const COMMANDS: Record<string, Command> = Object.fromEntries(GROUPS.flatMap((group) => Object.entries(group)));

/**
 * Runs one command line and sets the exit status: 2 where it is not understood, 1 where it fails or finds something wrong.
 * @param words what follows `berth`: `['serve']`
 */
export async function run(words: string[]): Promise<void> {
  const [name = '', ...parameters] = words;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (name === '--help' || name === '-h') return print(help());
    if (name === '--version' || name === '-v') return print(readManifest().version);
    if (!command) throw new UsageError(name === '' ? 'name a command' : `there is no command ${name}`);
    if (parameters.includes('--help') || parameters.includes('-h')) {
      const { usage, description } = within(command, parameters[0]) ?? command;
      return print(`${usage}\n\n${description}`);
    }
    if (await command.run(parameters) === 1) process.exitCode = 1;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`berth${command ? ` ${name}` : ''}: ${reason}${isUsage ? `; see berth ${command ? `${name} ` : ''}--help` : ''}\n`);
    process.exitCode = isUsage ? 2 : 1;
  }
}

/** The command of a group that a word names. */
function within({ commands = {} }: Command, word = ''): Command | undefined { return Object.hasOwn(commands, word) ? commands[word] : undefined; }

function help(): string {
  const groups = GROUPS.map((commands) => {
    const width = Math.max(...Object.keys(commands).map((name) => name.length));
    return Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`).join('\n');
  });
  return `Usage: berth <command>\n\n${groups.join('\n\n')}\n\nberth <command> --help says more; berth --version tells which Berth this is.`;
}

function print(text: string): void { process.stdout.write(`${text}\n`); }
