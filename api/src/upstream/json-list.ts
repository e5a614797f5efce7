// Splits a JSON list from another registry, `{"count":1,"results":[…]}`, into its entries without parsing them: each
// is then parsed on its own, so that one that is huge, nested deeply or malformed costs only itself.

import { RemoteAnswerInvalidError } from './errors.ts';

export interface JsonList {
  /** The object, without the entries of the list. */
  envelope: Record<string, unknown>;
  /** JSON texts of the entries, not parsed yet. */
  entries: Buffer[];
}

/** Far more than the fields beside the entries take. */
const MAX_ENVELOPE_BYTES = 64 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING = 1;
const CLOSING = 2;
/** Bytes that mean something outside of strings; 0 for all others. */
const KINDS = Uint8Array.from({ length: 256 }, (_unused, byte) => {
  const at = ['"', ',', '[{', ']}'].findIndex((characters) => characters.includes(String.fromCharCode(byte)));
  return [QUOTE, COMMA, OPENING, CLOSING][at] ?? 0;
});

/**
 * Splits the array `key` of the outermost object.
 * @param maxEntries of the array
 * @throws remote_answer_invalid if it is no such object, or has more entries
 */
export function splitJsonList(bytes: Buffer, key: string, maxEntries: number): JsonList {
  const start = findArray(bytes, key);
  const entries: Buffer[] = [];
  let end = -1;
  let from = start + 1;
  let depth = 0;
  for (let at = from; start !== -1 && at < bytes.length && end === -1; at++) {
    const kind = KINDS[bytes[at]!];
    if (kind === 0) continue;
    if (kind === QUOTE) at = endOfString(bytes, at);
    else if (kind === OPENING) depth++;
    else if (kind === CLOSING) {
      if (depth-- === 0) end = at;
    } else if (depth === 0) {
      add(at);
      from = at + 1;
    }
  }
  if (end === -1) throw notAList();
  if (entries.length > 0 || !isBlank(bytes.subarray(from, end))) add(end);
  const envelope = parse(Buffer.concat([bytes.subarray(0, start), Buffer.from('[]'), bytes.subarray(end + 1)]));
  return { envelope, entries };

  function add(until: number): void {
    if (entries.length === maxEntries)
      throw new RemoteAnswerInvalidError(
        `The list of the remote registry has more than ${maxEntries} entries a page.`,
      );
    entries.push(bytes.subarray(from, until));
  }
}

/** Returns where the array that is the value of a key of the outermost object begins; -1 if there is none. */
function findArray(bytes: Buffer, key: string): number {
  const expected = Buffer.from(JSON.stringify(key));
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const kind = KINDS[bytes[at]!];
    if (kind === 0) continue;
    if (kind === QUOTE) {
      const end = endOfString(bytes, at);
      const isKey = depth === 1 && bytes.subarray(at, end + 1).equals(expected);
      at = end;
      const value = isKey ? /^\s*:\s*\[/.exec(bytes.toString('latin1', end + 1, end + 64)) : null;
      if (value) return end + value[0].length;
    } else if (kind === OPENING) depth++;
    else if (kind === CLOSING) depth--;
  }
  return -1;
}

/** Returns where the string that begins at `at` ends: the position of its closing quote, or the end of the text. */
function endOfString(bytes: Buffer, at: number): number {
  for (let end = at + 1; ; end++) {
    end = bytes.indexOf(QUOTE, end);
    if (end === -1) return bytes.length;
    let backslashes = 0;
    while (bytes[end - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.length < MAX_ENVELOPE_BYTES && bytes.toString('latin1').trim() === '';
}

function parse(bytes: Buffer): Record<string, unknown> {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw notAList();
  try {
    return JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  } catch {
    throw notAList();
  }
}

function notAList(): Error {
  return new RemoteAnswerInvalidError(
    'The response of the remote registry is not a list of artefacts: ' +
      'check that its URL is the base URL of a registry.',
  );
}
