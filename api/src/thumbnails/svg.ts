// Tells SVG by its outermost text. It is never parsed here: what is in it harms only those who expand or run it.

/** How far the root element may be from either end: licences and doctypes of drawing programs fit with room. */
const MAX_MARGIN_BYTES = 16 * 1024;

/**
 * White space, comments and processing instructions, each matched in one way only: a longer text must not take ever
 * longer.
 */
const MISC = String.raw`(?:\s|<!--(?:(?!-->)[^])*-->|<\?(?:(?!\?>)[^])*\?>)*`;
const DOCTYPE = String.raw`<!DOCTYPE\s+svg\b[^>[]*(?:\[[^\]]*\]\s*)?>`;
const PROLOGUE = new RegExp(String.raw`^\uFEFF?${MISC}(?:${DOCTYPE}${MISC})?(?=<svg[\s/>])`);
const EMPTY_ROOT = new RegExp(String.raw`^<svg[^<]*/>${MISC}$`);
const EPILOGUE = new RegExp(String.raw`^</svg\s*>${MISC}$`);
const ROOT_END = '</svg';

/** Tells whether UTF-8 bytes are one whole SVG element, with nothing but comments and the like around it. */
export function isSvg(bytes: Uint8Array): boolean {
  const start = textOf(bytes.subarray(0, MAX_MARGIN_BYTES));
  const [prologue] = PROLOGUE.exec(start) ?? [];
  if (prologue === undefined) return false;
  const end = bytesOf(bytes).lastIndexOf(ROOT_END);
  const margin = bytes.subarray(end === -1 ? 0 : end);
  if (margin.length > MAX_MARGIN_BYTES) return false;
  return end === -1 ? EMPTY_ROOT.test(start.slice(prologue.length)) : EPILOGUE.test(textOf(margin));
}

function textOf(bytes: Uint8Array): string {
  return bytesOf(bytes).toString('utf8');
}

function bytesOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
