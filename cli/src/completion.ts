// `berth completion`: a script for a shell that completes commands and options; file names where neither fits.

import { defineCommand, UsageError, type Command } from './command.ts';
import { print } from './interruptible.ts';

type Commands = Readonly<Record<string, Command>>;

/**
 * What can be written behind words: `''` for the first, `keys create` for the options of that. Options are undefined
 * texts of none.
 */
interface Place {
  behind: string;
  choices: { word: string; text: string }[];
}

const SHELLS: Record<string, (places: Place[]) => string> = { bash, zsh, fish };

/** @param loadCommands all of them, asked for when the script is made */
export function createCompletion(loadCommands: () => Promise<Commands>): Command {
  return defineCommand({
    summary: 'print a script that completes commands in a shell',
    usage: 'completion bash|zsh|fish',
    description: 'Prints a script for the shell, which completes commands and options.',
    options: {},
    optionTexts: {},
    examples: {
      'source <(berth completion bash)': 'now; for ever in ~/.bashrc, or in /etc/bash_completion.d/berth',
      'berth completion zsh > "${fpath[1]}/_berth"': 'for zsh',
      'berth completion fish > ~/.config/fish/completions/berth.fish': 'for fish',
    },
    parameters: ['SHELL'],
    words: Object.keys(SHELLS),
    async run(_values, shell) {
      const script = Object.hasOwn(SHELLS, shell ?? '') ? SHELLS[shell ?? ''] : undefined;
      if (!script)
        throw new UsageError(`there is no completion for ${shell}: name one of ${Object.keys(SHELLS).join(', ')}`);
      print(script(placesIn(await loadCommands())));
    },
  });
}

function placesIn(commands: Commands, behind = ''): Place[] {
  const here: Place = {
    behind,
    choices: Object.entries(commands).map(([word, { summary }]) => ({ word, text: summary })),
  };
  return [
    here,
    ...Object.entries(commands).flatMap(([word, command]): Place[] => {
      const path = behind === '' ? word : `${behind} ${word}`;
      if (command.commands) return placesIn(command.commands, path);
      const options = Object.entries({ ...command.options, help: 'say what it does' }).map(([name, text]) => ({
        word: `--${name}`,
        text,
      }));
      return [{ behind: path, choices: [...(command.words ?? []).map((it) => ({ word: it, text: it })), ...options] }];
    }),
  ];
}

function bash(places: Place[]): string {
  return `_berth() {
  local words=""
  case "\${COMP_WORDS[*]:1:COMP_CWORD-1}" in
${places
  .map(
    ({ behind, choices }) => `    ${patternOf(behind)}) words=${quoted(choices.map(({ word }) => word).join(' '))} ;;`,
  )
  .reverse()
  .join('\n')}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _berth berth`;
}

function zsh(places: Place[]): string {
  return `#compdef berth
_berth() {
  case "\${words[2,CURRENT-1]}" in
${places
  .map(({ behind, choices }) => `    ${patternOf(behind)}) compadd -- ${choices.map(({ word }) => word).join(' ')} ;;`)
  .reverse()
  .join('\n')}
  esac
  if [[ "\${words[2,CURRENT-1]}" != "" ]]; then _files; fi
}
compdef _berth berth`;
}

function fish(places: Place[]): string {
  const lines = places.flatMap(({ behind, choices }) =>
    choices.map(({ word, text }) => {
      const [command, inner] = behind.split(' ');
      const siblings = places
        .find((place) => place.behind === command && !place.choices[0]?.word.startsWith('--'))
        ?.choices.map((choice) => choice.word)
        .join(' ');
      const condition =
        command === ''
          ? '__fish_use_subcommand'
          : `__fish_seen_subcommand_from ${command}${inner === undefined ? (siblings === undefined ? '' : `; and not __fish_seen_subcommand_from ${siblings}`) : `; and __fish_seen_subcommand_from ${inner}`}`;
      return `complete -c berth -n ${quoted(condition)} ${word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`} -d ${quoted(text)}`;
    }),
  );
  return lines.join('\n');
}

/** Exactly these words for a place of commands, these and whatever follows for options. */
function patternOf(behind: string): string {
  return behind === '' ? "''" : `${quoted(behind)}*`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
