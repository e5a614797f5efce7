// The command's own environment variables. Their values often come from files, with a line end.

/** What an HTTP header can carry (RFC 9110, section 5.5). */
const HEADER_SAFE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Reads a variable, without line ends around its value; undefined if it is not set. */
export function readVariable(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env[name]?.replace(/^[\r\n]+/, '').replace(/[\r\n]+$/, '');
}

/**
 * Reads a key or secret that is sent in a header; undefined if it is not set.
 * @throws Error that names the variable, and never shows its value
 */
export function readKey(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const value = readVariable(name, env);
  if (value && !HEADER_SAFE.test(value))
    throw new Error(`${name} must be printable ASCII, without a space at either end (its value is not shown)`);
  return value;
}
