// Names of entries and targets of links: what is refused, and what is only reported, from their text alone.

/**
 * In characters, which have at most 3,072 bytes: that leaves a quarter of Linux's PATH_MAX, 4,096 bytes, to the folder
 * that a tarball is unpacked to. PATH_MAX of macOS, if the characters are ASCII. It also bounds the file index.
 */
const MAX_NAME_LENGTH = 1024;
/** NAME_MAX of Linux, in bytes. */
const MAX_PART_BYTES = 255;
/** Characters that cannot be seen or that reorder text, but for marks on others, such as variants of a character. */
const INVISIBLE = /[\p{Bidi_Control}\p{Zl}\p{Zp}[\p{Default_Ignorable_Code_Point}--\p{M}]]/v;
/** Emojis such as flags and families contain characters that are invisible elsewhere. */
const EMOJI = /\p{RGI_Emoji}/gv;
/** A longer name is quoted up to here. */
export const MAX_QUOTED_LENGTH = 100;
/** Characters that a terminal would act on or hide, and those that the quotation itself uses. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}"\\]/gu;
/** Parts reserved on Windows, with any extension; characters that no name has there; endings that it drops. */
const NOT_ON_WINDOWS =
  /(?:^|\/)(?:con|prn|aux|nul|con(?:in|out)\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:[./]|$)|[<>:"|?*]|[. ](?:\/|$)/i;

/** Quotes a name of the archive for an error message, shortened and with unprintable characters escaped. */
export function quoteName(name: string): string {
  const shortened = name.length > MAX_QUOTED_LENGTH ? `${name.slice(0, MAX_QUOTED_LENGTH)}…` : name;
  return `"${shortened.replace(UNPRINTABLE, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  return `\\u{${hex(character)}}`;
}

/**
 * Checks that systems can hold a name, and that people can read it.
 * @returns what is wrong, to follow the quoted name; undefined if it is fine
 */
export function findNameProblem(name: string): string | undefined {
  if (name.length > MAX_NAME_LENGTH)
    return `has more than ${MAX_NAME_LENGTH} characters, which not all systems can hold: shorten it.`;
  if (Buffer.byteLength(name) > MAX_PART_BYTES && name.split('/').some(isLongPart))
    return `has a part of more than ${MAX_PART_BYTES} bytes, which no system can hold: shorten it.`;
  if (!INVISIBLE.test(name)) return undefined;
  const [invisible] = INVISIBLE.exec(name.replace(EMOJI, '')) ?? [];
  return invisible === undefined
    ? undefined
    : `contains the invisible character U+${hex(invisible).toUpperCase().padStart(4, '0')}: rename it.`;
}

function isLongPart(part: string): boolean {
  return Buffer.byteLength(part) > MAX_PART_BYTES;
}

/** Whether Windows cannot hold a name, or unpacks it under another one. */
export function isForeignToWindows(path: string): boolean {
  return NOT_ON_WINDOWS.test(path);
}

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16);
}
