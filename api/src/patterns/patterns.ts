// The language in which artefacts are selected: ids with wildcards, or a category. Matching takes time that grows with
// the lengths of pattern and id alone, whoever wrote them.

import { PatternInvalidError } from './errors.ts';

const MAX_PATTERN_LENGTH = 256;
const CATEGORY_PREFIX = 'category:';

/** @throws pattern_invalid */
export function assertPattern(pattern: string): void {
  const text = pattern.startsWith(CATEGORY_PREFIX) ? pattern.slice(CATEGORY_PREFIX.length) : pattern;
  if (text === '' || pattern.length > MAX_PATTERN_LENGTH || /\p{Cc}/u.test(pattern)) {
    throw new PatternInvalidError(
      'A pattern is an id in which * stands for anything but a slash, such as @acme/*@1, or category: and ' +
        'a category, ' +
        `such as category:tileset; at most ${MAX_PATTERN_LENGTH} characters.`,
    );
  }
}

/** Tells whether a pattern selects an artefact: `*` is any text without a slash, `**` any text. */
export function matches(pattern: string, { id, category }: { id: string; category: string }): boolean {
  if (pattern.startsWith(CATEGORY_PREFIX)) return category === pattern.slice(CATEGORY_PREFIX.length);
  const tokens = pattern.match(/\*\*|[^]/gu) ?? [];
  const isWildcard = (at: number) => tokens[at] === '*' || tokens[at] === '**';
  // How many tokens may have matched what was read so far: all possibilities at once, none is tried again.
  let reached = withoutText([0]);
  for (const character of id) {
    const next: number[] = [];
    for (const at of reached) {
      if (tokens[at] === '**' || (tokens[at] === '*' && character !== '/')) next.push(at);
      else if (!isWildcard(at) && tokens[at] === character) next.push(at + 1);
    }
    if (next.length === 0) return false;
    reached = withoutText(next);
  }
  return reached.has(tokens.length);

  /** Adds what is reached over wildcards that stand for nothing. */
  function withoutText(positions: readonly number[]): Set<number> {
    const all = new Set(positions);
    for (const at of all) if (isWildcard(at)) all.add(at + 1);
    return all;
  }
}
