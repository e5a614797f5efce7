// The Content-Disposition of a response (RFC 6266): under which name clients save it.

/** What some clients decode (`%41`), take for the end or for a path, or cannot have in a header. */
const NOT_IN_FALLBACK = /[^\x20-\x7e]|["\\/%]/gu;

/**
 * Names a response twice: curl reads only `filename`, where a name is ASCII; browsers prefer `filename*`.
 * @param fileName without a path
 */
export function contentDisposition(type: 'attachment' | 'inline', fileName: string): string {
  const fallback = fileName.normalize('NFKD').replaceAll(/\p{M}/gu, '').replaceAll(NOT_IN_FALLBACK, '_');
  return `${type}; filename="${fallback}"; filename*=UTF-8''${encodeExtendedValue(fileName.toWellFormed())}`;
}

/** Percent-encodes characters that are not an attr-char (RFC 8187, 3.2.1). */
function encodeExtendedValue(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
