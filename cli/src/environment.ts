// Keys, secrets and the command's own environment variables. They are pasted from mails and web pages, or come from
// files, so blanks and line ends around them do not count; the registry itself accepts none.

/** Reads a variable, without line ends around its value; undefined if it is not set. */
export function readVariable(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env[name]?.replace(/^[\r\n]+/, '').replace(/[\r\n]+$/, '');
}

/** Reads an API key from a variable; undefined if it is not set. @throws Error as cleanKey */
export function readKey(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return cleanKey(env[name], name);
}

/** Reads a secret from a variable, which in contrast to a key may contain spaces. @throws Error as cleanKey */
export function readSecret(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const secret = env[name]?.trim();
  if (secret !== undefined) assertInOneLine(secret.replaceAll(' ', ''), name);
  return secret;
}

/**
 * Removes the blanks and line breaks around an API key; undefined stays undefined.
 * @param source where it comes from, for the error
 * @throws Error if a blank or another character is inside that no key has; it never shows the key
 */
export function cleanKey(key: string | undefined, source: string): string | undefined {
  const cleaned = key?.trim();
  if (cleaned !== undefined) assertInOneLine(cleaned, source);
  return cleaned;
}

/** Admits what an HTTP header can carry (RFC 9110, section 5.5). */
function assertInOneLine(value: string, source: string): void {
  if (/\s/.test(value))
    throw new Error(`${source} contains a blank or a line break: paste it again in one piece (it is not shown)`);
  if (!/^[\x21-\x7e]*$/.test(value)) throw new Error(`${source} must be printable ASCII (it is not shown)`);
}
