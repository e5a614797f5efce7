// `berth completion`: prints a script that completes commands and options in a shell, and file names elsewhere.

import { defineCommand, UsageError, type Command } from './command.ts';
import { print } from './terminal.ts';

type Commands = Readonly<Record<string, Command>>;

/** The words that can follow `prefix`: commands after `''`, options after `keys create`. */
interface Completion {
  prefix: string;
  choices: { word: string; text: string }[];
}

const SHELLS: Record<string, (completions: Completion[]) => string> = { bash, zsh, fish };

/** @param loadCommands loads all commands, when the script is made */
export function createCompletion(loadCommands: () => Promise<Commands>): Command {
  return defineCommand({
    summary: 'print a completion script for a shell',
    usage: 'completion bash|zsh|fish',
    description: 'Prints a script that completes commands and options in the shell.',
    options: {},
    optionTexts: {},
    examples: {
      'source <(berth completion bash)': 'in this shell; add it to ~/.bashrc to keep it',
      'berth completion zsh > "${fpath[1]}/_berth"': 'for zsh',
      'berth completion fish > ~/.config/fish/completions/berth.fish': 'for fish',
    },
    parameters: ['SHELL'],
    parameterValues: Object.keys(SHELLS),
    async run(_values, shell) {
      const script = Object.hasOwn(SHELLS, shell ?? '') ? SHELLS[shell ?? ''] : undefined;
      if (!script)
        throw new UsageError(`unsupported shell ${shell}: expected one of ${Object.keys(SHELLS).join(', ')}`);
      print(script(listCompletions(await loadCommands())));
    },
  });
}

function listCompletions(commands: Commands, prefix = ''): Completion[] {
  const own: Completion = {
    prefix,
    choices: Object.entries(commands).map(([word, { summary }]) => ({ word, text: summary })),
  };
  return [
    own,
    ...Object.entries(commands).flatMap(([word, command]): Completion[] => {
      const path = prefix === '' ? word : `${prefix} ${word}`;
      if (command.commands) return listCompletions(command.commands, path);
      const options = Object.entries({ ...command.options, help: 'show help' }).map(([name, text]) => ({
        word: `--${name}`,
        text,
      }));
      const values = (command.parameterValues ?? []).map((it) => ({ word: it, text: it }));
      return [{ prefix: path, choices: [...values, ...options] }];
    }),
  ];
}

function bash(completions: Completion[]): string {
  return `_berth() {
  local words=""
  case "\${COMP_WORDS[*]:1:COMP_CWORD-1}" in
${completions
  .map(
    ({ prefix, choices }) => `    ${patternOf(prefix)}) words=${quoted(choices.map(({ word }) => word).join(' '))} ;;`,
  )
  .reverse()
  .join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _berth berth`;
}

function zsh(completions: Completion[]): string {
  return `#compdef berth
_berth() {
  case "\${words[2,CURRENT-1]}" in
${completions
  .map(({ prefix, choices }) => `    ${patternOf(prefix)}) compadd -- ${choices.map(({ word }) => word).join(' ')} ;;`)
  .reverse()
  .join('\n')}
  esac
  if [[ "\${words[2,CURRENT-1]}" != "" ]]; then _files; fi
}
compdef _berth berth`;
}

function fish(completions: Completion[]): string {
  const lines = completions.flatMap(({ prefix, choices }) => {
    const condition = quoted(fishCondition(prefix, completions));
    return choices.map(({ word, text }) => {
      const completed = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c berth -n ${condition} ${completed} -d ${quoted(text)}`;
    });
  });
  return lines.join('\n');
}

/** Holds after exactly the words of `prefix`: after a group, only until one of its commands is given. */
function fishCondition(prefix: string, completions: Completion[]): string {
  if (prefix === '') return '__fish_use_subcommand';
  const [command, inner] = prefix.split(' ');
  const hasCommand = `__fish_seen_subcommand_from ${command}`;
  if (inner !== undefined) return `${hasCommand}; and __fish_seen_subcommand_from ${inner}`;
  const group = completions.find((it) => it.prefix === command && !it.choices[0]?.word.startsWith('--'));
  if (group === undefined) return hasCommand;
  return `${hasCommand}; and not __fish_seen_subcommand_from ${group.choices.map(({ word }) => word).join(' ')}`;
}

/** Matches the prefix with anything after it; the empty prefix only by itself. */
function patternOf(prefix: string): string {
  return prefix === '' ? "''" : `${quoted(prefix)}*`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
