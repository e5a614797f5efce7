// Defines commands: their options, parameters and help, and how a command line is parsed.

import { parseArgs, type ParseArgsConfig } from 'node:util';
import { formatHelp, formatRows } from './help.ts';

export interface Command {
  /** One line for `berth --help`. */
  summary: string;
  /** Formats what `berth <command> --help` prints. */
  help(): string;
  /** Text of each option, by its name without dashes. */
  options?: Readonly<Record<string, string>>;
  /** Values of the parameter, if they are a fixed set. */
  parameterValues?: readonly string[] | undefined;
  /** Subcommands of a group. */
  commands?: Readonly<Record<string, Command>>;
  /**
   * @returns 1 if the command completed but found something wrong, which it has reported
   * @throws UsageError if the parameters or options are invalid
   */
  run(parameters: string[]): Promise<1 | void>;
}

/** An invalid command line. The message is one clause, without a full stop. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<O extends Options> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>['values'];

export interface CommandDefinition<O extends Options> {
  summary: string;
  /** What follows `berth`: `backup DIR [--verify]`. */
  usage: string;
  /** Paragraphs separated by blank lines; line breaks within one do not count. */
  description: string;
  options: O;
  optionTexts: Record<keyof O & string, string>;
  /** Command lines that work as they are, each with what it does. */
  examples: Record<string, string>;
  /**
   * Names of the positional parameters, such as `DIR`. All are required, except that the last one is optional in
   * brackets. The last one can be repeated if it contains `…`.
   */
  parameters?: readonly string[];
  /** Values of the parameter, if they are a fixed set. */
  parameterValues?: readonly string[];
  run(values: Parsed<O>, ...parameters: string[]): Promise<1 | void>;
}

/** Makes a command whose command line is checked, and whose help is written, from one definition. */
export function defineCommand<const O extends Options>(definition: CommandDefinition<O>): Command {
  const { summary, usage, description, optionTexts, examples, parameters = [], parameterValues } = definition;
  return {
    summary,
    options: optionTexts,
    parameterValues,
    help: () => formatHelp({ usage, description, options: optionTexts, examples }),
    async run(words) {
      const { values, positionals } = parse(words, definition.options);
      const missing = parameters[positionals.length];
      if (missing !== undefined && !missing.startsWith('['))
        throw new UsageError(`missing parameter ${missing.replace('…', '')}`);
      const surplus = parameters.at(-1)?.includes('…') ? undefined : positionals[parameters.length];
      if (surplus !== undefined) throw new UsageError(`unexpected parameter ${surplus}`);
      return definition.run(values, ...positionals);
    },
  };
}

/** Makes a group of subcommands. */
export function defineGroup(name: string, summary: string, commands: Record<string, Command>): Command {
  const names = Object.keys(commands);
  return {
    summary,
    help: () =>
      [
        `Usage: berth ${name} <command>`,
        formatRows(Object.entries(commands).map(([word, command]) => [word, command.summary])),
        `Run berth ${name} <command> --help for details.`,
      ].join('\n\n'),
    commands,
    async run([word = '', ...words]) {
      const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
      if (!command)
        throw new UsageError(
          word === '' ? `missing command: expected one of ${names.join(', ')}` : `unknown command ${name} ${word}`,
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
    if (unknown !== undefined) throw new UsageError(`unknown option ${unknown}`);
    const [sentence = ''] = error.message.split('. ', 1);
    throw new UsageError(sentence.replace(/^Option/, 'option').replace(/\.$/, ''));
  }
}
