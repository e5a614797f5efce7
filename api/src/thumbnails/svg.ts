// Recognises SVG by its root element. It is never parsed here: its content can harm only programs that expand or run
// it.

/** Maximum distance of the root tags from either end: ample for the licences and doctypes of drawing programs. */
const MAX_MARGIN_BYTES = 16 * 1024;

/**
 * White space, comments and processing instructions. Each can match in one way only, so that the expressions run in
 * linear time.
 */
const MISC = String.raw`(?:\s|<!--(?:(?!-->)[^])*-->|<\?(?:(?!\?>)[^])*\?>)*`;
const DOCTYPE = String.raw`<!DOCTYPE\s+svg\b[^>[]*(?:\[[^\]]*\]\s*)?>`;
const PROLOGUE = new RegExp(String.raw`^\uFEFF?${MISC}(?:${DOCTYPE}${MISC})?(?=<svg[\s/>])`);
const EMPTY_ROOT = new RegExp(String.raw`^<svg[^<]*/>${MISC}$`);
const EPILOGUE = new RegExp(String.raw`^</svg\s*>${MISC}$`);
const ROOT_END = '</svg';

/** Checks whether UTF-8 bytes are one complete SVG element, surrounded by nothing but a prologue and comments. */
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
