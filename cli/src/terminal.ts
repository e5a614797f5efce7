// The one place that prints for people. Registries choose much of the text, so nothing in it may control the terminal.

/**
 * Control characters but line break and tab, line and paragraph separators, and what changes the direction of text or
 * is invisible; not the joiners of scripts and emojis.
 */
const UNSAFE = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Writes unsafe characters as `\u001b`. A JSON document, in which they occur in strings only, keeps its meaning. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** As above, with line breaks and tabs. For a value among others, which must not look like another line. */
export function escapeValue(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/** Escapes all texts of a document of the registry, at any depth, so that each stays in one line. */
export function escapeValues<Value>(value: Value): Value {
  if (typeof value === 'string') return escapeValue(value) as Value;
  if (Array.isArray(value)) return value.map((item: unknown) => escapeValues(item)) as Value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [escapeValue(name), escapeValues(item)]),
  ) as Value;
}

/** Prints the result of a command to standard output. */
export function print(text: string): void {
  process.stdout.write(`${escapeControls(text)}\n`);
}

const ignore = () => undefined;

/** As above, for output without an end. Rejects if it cannot be written: with EPIPE if nobody reads on (`| head`). */
export async function printNext(text: string): Promise<void> {
  // The callback has the error, too.
  process.stdout.off('error', ignore).on('error', ignore);
  await new Promise<void>((resolve, reject) =>
    process.stdout.write(`${escapeControls(text)}\n`, (error) => {
      if (error) reject(error);
      else resolve();
    }),
  );
}

/** Prints a line, or several, to standard error. @param name the command; empty for `berth` itself */
export function warn(name: string, text: string): void {
  process.stderr.write(`berth${name === '' ? '' : ` ${name}`}: ${escapeControls(text)}\n`);
}
