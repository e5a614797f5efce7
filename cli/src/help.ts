// Lays out help texts, wrapped to the width of the terminal.

export interface HelpContent {
  /** What follows `berth`: `backup DIR [--verify]`. */
  usage: string;
  /** Paragraphs separated by blank lines. One that is indented keeps its line breaks. */
  description: string;
  /** Text of each option, by its name without dashes. */
  options?: Readonly<Record<string, string>>;
  /** Command lines, each with what it does. */
  examples?: Readonly<Record<string, string>>;
}

const DEFAULT_COLUMNS = 80;
/** Longer lines are harder to read, however wide the terminal is. */
const MAX_COLUMNS = 100;
const MAX_LEFT_COLUMN = 24;
/** Parts of a usage that stay on one line: `[--dir DIRECTORY]`, `--name NAME`, `PATTERN…`. */
const USAGE_PARTS = /\[(?:[^[\]]|\[[^\]]*\])*\]\S*|--\S+(?: [^[\s-]\S*)?|\S+/g;

/** Formats the help of one command. */
export function formatHelp({ usage, description, options = {}, examples = {} }: HelpContent): string {
  const optionRows = Object.entries(options).map(([name, text]): [string, string] => [`--${name}`, text]);
  const exampleRows = Object.entries(examples);
  return [
    fill(usage.match(USAGE_PARTS) ?? [], 'Usage: berth '),
    formatParagraphs(description),
    ...(optionRows.length > 0 ? [`Options:\n${formatRows(optionRows)}`] : []),
    ...(exampleRows.length > 0 ? [`Examples:\n${formatRows(exampleRows)}`] : []),
  ].join('\n\n');
}

/** Formats an indented list of two columns. Where the left one is wide, the right one goes on lines of its own. */
export function formatRows(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows
    .map(([left, right]) =>
      width > MAX_LEFT_COLUMN
        ? `  ${left}\n${fill(right.split(' '), ' '.repeat(6))}`
        : fill(right.split(' '), `  ${left.padEnd(width)}  `),
    )
    .join('\n');
}

function formatParagraphs(text: string): string {
  return text
    .split('\n\n')
    .map((paragraph) => (paragraph.startsWith(' ') ? paragraph : fill(paragraph.split(/\s+/), '')))
    .join('\n\n');
}

/** Fills lines with parts, none of which is broken. `start` stands before the first; the others are indented alike. */
function fill(parts: readonly string[], start: string): string {
  // A terminal without a size says 0.
  const columns = Math.min(process.stdout.columns || DEFAULT_COLUMNS, MAX_COLUMNS);
  const indent = ' '.repeat(start.length);
  const lines: string[] = [];
  for (const part of parts) {
    const line = lines.at(-1);
    if (line === undefined) lines.push(start + part);
    else if (line.length + 1 + part.length > columns) lines.push(indent + part);
    else lines[lines.length - 1] = `${line} ${part}`;
  }
  return lines.join('\n');
}
