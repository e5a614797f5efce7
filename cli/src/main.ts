// The `berth` command: runs the command that is named, each from a file of its own, and reports a failure in one line.

import { UsageError, type Command } from './command.ts';
import { formatRows } from './help.ts';
import { readManifest } from './manifest.ts';
import { print, warn } from './terminal.ts';

type Loaders = Readonly<Record<string, () => Promise<Command>>>;

/**
 * Commands in the order of the help: clients of a registry, administration, the server, operations on its data. Each
 * module is loaded when its command runs.
 */
const GROUPS: Loaders[] = [
  {
    publish: async () => (await import('./publish.ts')).publish,
    upload: async () => (await import('./upload.ts')).upload,
    pull: async () => (await import('./pull.ts')).pull,
    ls: async () => (await import('./ls.ts')).ls,
    info: async () => (await import('./info.ts')).info,
    events: async () => (await import('./events.ts')).events,
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
    secrets: async () => (await import('./secrets.ts')).secrets,
    remotes: async () => (await import('./remotes.ts')).remotes,
  },
  { completion: async () => (await import('./completion.ts')).createCompletion(() => load(COMMANDS)) },
];
const COMMANDS: Loaders = Object.assign({}, ...GROUPS) as Loaders;

/**
 * Runs one command line and sets the exit status: 2 if the command line is invalid, 1 if the command fails or reports
 * damage.
 * @param words what follows `berth`: `['serve']`
 */
export async function run(words: string[]): Promise<void> {
  const [name = '', ...parameters] = words;
  const loader = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (name === '--help' || name === '-h') return print(await formatOverview());
    if (name === '--version' || name === '-v') return print(readManifest().version);
    const command = await loader?.();
    if (!command) throw new UsageError(name === '' ? 'missing command' : `unknown command ${name}`);
    if (parameters.includes('--help') || parameters.includes('-h'))
      return print((subcommand(command, parameters[0]) ?? command).help());
    if ((await command.run(parameters)) === 1) process.exitCode = 1;
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const reason = withoutTlsTrace(error instanceof Error ? error.message : String(error));
    const hint = isUsage ? `; see berth ${loader ? `${name} ` : ''}--help` : '';
    warn(loader ? name : '', `${reason}${hint}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}

/** Shortens an error of OpenSSL, which names its source file and ends with a line break, to its reason. */
function withoutTlsTrace(message: string): string {
  return message.replaceAll(/(?:write EPROTO )?\w+:error:\w+:SSL routines:\w*:([^:]+):\S*\s*/g, (_, reason: string) =>
    reason === 'wrong version number' ? 'it answers no TLS; did you mean http://?' : `TLS: ${reason}`,
  );
}

function subcommand({ commands = {} }: Command, name = ''): Command | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}

async function formatOverview(): Promise<string> {
  const groups = await Promise.all(
    GROUPS.map(async (loaders) => {
      const commands = Object.entries(await load(loaders));
      return formatRows(commands.map(([name, { summary }]) => [name, summary]));
    }),
  );
  return [
    'Usage: berth <command>',
    ...groups,
    'Run berth <command> --help for details, or berth --version for the version.',
  ].join('\n\n');
}

async function load(loaders: Loaders): Promise<Record<string, Command>> {
  return Object.fromEntries(
    await Promise.all(
      Object.entries(loaders).map(async ([name, loader]): Promise<[string, Command]> => [name, await loader()]),
    ),
  );
}
