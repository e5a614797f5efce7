// The berth command: picks what to run, and says in one line what went wrong. Each command has a file of its own.

import { UsageError, type Command } from './command.ts';
import { readManifest } from './manifest.ts';

type Loaders = Readonly<Record<string, () => Promise<Command>>>;

/**
 * In the order of the help: what speaks to a registry, what administers one, the server, what works on its data. Each
 * is loaded when it is asked for.
 */
const GROUPS: Loaders[] = [
  {
    publish: async () => (await import('./publish.ts')).publish,
    upload: async () => (await import('./upload.ts')).upload,
    pull: async () => (await import('./pull.ts')).pull,
    ls: async () => (await import('./ls.ts')).ls,
    info: async () => (await import('./info.ts')).info,
    login: async () => (await import('./login.ts')).login,
    token: async () => (await import('./token.ts')).token,
  },
  {
    keys: async () => (await import('./keys.ts')).keys,
    publishers: async () => (await import('./publishers.ts')).publishers,
    grants: async () => (await import('./grants.ts')).grants,
    import: async () => (await import('./import.ts')).importPlugins,
  },
  { serve: async () => (await import('./serve.ts')).serve },
  {
    backup: async () => (await import('./backup.ts')).backup,
    restore: async () => (await import('./restore.ts')).restore,
    scrub: async () => (await import('./scrub.ts')).scrub,
    gc: async () => (await import('./gc.ts')).gc,
    migrate: async () => (await import('./migrate.ts')).migrate,
    remotes: async () => (await import('./remotes.ts')).remotes,
  },
  { completion: async () => (await import('./completion.ts')).createCompletion(() => load(COMMANDS)) },
];
const COMMANDS: Loaders = Object.assign({}, ...GROUPS) as Loaders;

/**
 * Runs one command line and sets the exit status: 2 where it is not understood, 1 where it fails or finds something
 * wrong.
 * @param words what follows `berth`: `['serve']` /
 */
export async function run(words: string[]): Promise<void> {
  const [name = '', ...parameters] = words;
  const loader = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (name === '--help' || name === '-h') return print(await help());
    if (name === '--version' || name === '-v') return print(readManifest().version);
    const command = await loader?.();
    if (!command) throw new UsageError(name === '' ? 'name a command' : `there is no command ${name}`);
    if (parameters.includes('--help') || parameters.includes('-h')) {
      const { usage, description } = within(command, parameters[0]) ?? command;
      return print(`${usage}\n\n${description}`);
    }
    if ((await command.run(parameters)) === 1) process.exitCode = 1;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(
      `berth${loader ? ` ${name}` : ''}: ${reason}${isUsage ? `; see berth ${loader ? `${name} ` : ''}--help` : ''}\n`,
    );
    process.exitCode = isUsage ? 2 : 1;
  }
}

/** The command of a group that a word names. */
function within({ commands = {} }: Command, word = ''): Command | undefined {
  return Object.hasOwn(commands, word) ? commands[word] : undefined;
}

async function help(): Promise<string> {
  const groups = await Promise.all(
    GROUPS.map(async (loaders) => {
      const commands = Object.entries(await load(loaders));
      const width = Math.max(...commands.map(([name]) => name.length));
      return commands.map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`).join('\n');
    }),
  );
  return (
    `Usage: berth <command>\n\n${groups.join('\n\n')}\n\nberth <command> --help says more; berth --version ` +
    'tells which Berth this is.'
  );
}

async function load(loaders: Loaders): Promise<Record<string, Command>> {
  return Object.fromEntries(
    await Promise.all(
      Object.entries(loaders).map(async ([name, loader]): Promise<[string, Command]> => [name, await loader()]),
    ),
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
