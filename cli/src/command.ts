// What a command is, and how one with options reads its command line.

import { parseArgs, type ParseArgsConfig } from 'node:util';

export interface Command {
  /** One line for `berth --help`. */
  summary: string;
  /** Such as `Usage: berth pull <id> [--dir <path>]`. */
  usage: string;
  /** What `berth <command> --help` says below the usage. */
  description: string;
  /** What each option does, by its name without dashes. */
  options?: Readonly<Record<string, string>>;
  /** What its parameter may be, where there are few. */
  words?: readonly string[] | undefined;
  /** Of a group. */
  commands?: Readonly<Record<string, Command>>;
  /**
   * @returns 1 when what it did shows something wrong, having said what
   * @throws UsageError for parameters that it does not understand
   */
  run(parameters: string[]): Promise<1 | void>;
}

/** A command line that is not understood; the message is one clause, without a full stop. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<O extends Options> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>['values'];

export interface CommandDefinition<O extends Options> {
  summary: string;
  /** What follows `berth`: `backup DIR [--verify]`. */
  usage: string;
  description: string;
  /** What each option does, by its name without dashes. */
  options: O;
  optionTexts: Record<keyof O & string, string>;
  /** Command lines that work as they are, each with what it does. */
  examples: Record<string, string>;
  /**
   * What the positional parameters are, such as `DIR`; all must be given, but a last one in brackets. A last one with
   * `…` may be given again and again.
   */
  parameters?: readonly string[];
  /** What the parameter may be, where there are few. */
  words?: readonly string[];
  run(values: Parsed<O>, ...parameters: string[]): Promise<1 | void>;
}

/** Makes a command from its options; the command line is checked and its help is written from the same definition. */
export function defineCommand<const O extends Options>(definition: CommandDefinition<O>): Command {
  const { summary, usage, description, parameters = [] } = definition;
  return {
    summary,
    usage: `Usage: berth ${usage}`,
    options: definition.optionTexts,
    words: definition.words,
    description: [
      description,
      table(Object.entries(definition.optionTexts).map(([name, text]) => [`--${name}`, text])),
      `Examples:\n${table(Object.entries(definition.examples))}`,
    ].join('\n\n'),
    async run(words) {
      const { values, positionals } = parse(words, definition.options);
      const missing = parameters[positionals.length];
      if (missing !== undefined && !missing.startsWith('[')) throw new UsageError(`name ${missing.replace('…', '')}`);
      const surplus = parameters.at(-1)?.includes('…') ? undefined : positionals[parameters.length];
      if (surplus !== undefined) throw new UsageError(`${surplus} is one parameter too many`);
      return definition.run(values, ...positionals);
    },
  };
}

/** Makes a command of several, each chosen by its next word. */
export function defineGroup(name: string, summary: string, commands: Record<string, Command>): Command {
  const list = table(Object.entries(commands).map(([word, command]) => [word, command.summary]));
  return {
    summary,
    usage: `Usage: berth ${name} <${Object.keys(commands).join(' | ')}>`,
    description: `${list}\n\nberth ${name} <command> --help says more.`,
    commands,
    async run([word = '', ...words]) {
      const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
      if (!command)
        throw new UsageError(
          word === '' ? `name one of ${Object.keys(commands).join(', ')}` : `there is no command ${name} ${word}`,
        );
      return command.run(words);
    },
  };
}

function parse<O extends Options>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const isUsage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
    if (!isUsage) throw error;
    const [unknown] = /(?<=Unknown option ')[^']+/.exec(error.message) ?? [];
    throw new UsageError(
      unknown === undefined
        ? error.message
            .split('. ', 1)[0]!
            .replace(/^Option/, 'option')
            .replace(/\.$/, '')
        : `there is no option ${unknown}`,
    );
  }
}

function table(lines: [string, string][]): string {
  const width = Math.max(...lines.map(([left]) => left.length));
  return lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}
