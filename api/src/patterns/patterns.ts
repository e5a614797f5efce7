// The pattern language: a text with wildcards, for artefact ids and names of branches, or a category. Matching takes
// time proportional to the length of the pattern times that of the text, so that no pattern can stall the server.

import { quote } from '../errors.ts';
import { PatternInvalidError } from './errors.ts';

const MAX_PATTERN_LENGTH = 256;
const CATEGORY_PREFIX = 'category:';

/** @throws pattern_invalid */
export function assertPattern(pattern: string): void {
  const text = pattern.startsWith(CATEGORY_PREFIX) ? pattern.slice(CATEGORY_PREFIX.length) : pattern;
  if (text === '' || pattern.length > MAX_PATTERN_LENGTH || /\p{Cc}/u.test(pattern)) {
    throw new PatternInvalidError(
      `The pattern ${quote(pattern)} is not valid: it must be an id in which * matches anything but a slash, such ` +
        'as @acme/*@1, or "category:" followed by a category, such as category:tileset, and have at most ' +
        `${MAX_PATTERN_LENGTH} characters.`,
    );
  }
}

/** Checks whether a pattern selects an artefact. */
export function matches(pattern: string, { id, category }: { id: string; category: string }): boolean {
  return pattern.startsWith(CATEGORY_PREFIX)
    ? category === pattern.slice(CATEGORY_PREFIX.length)
    : matchesText(pattern, id);
}

/**
 * Checks whether a pattern without a category matches a text: `*` any text without a slash, `**` any text.
 * @param onStep called for each position of the pattern that is compared with a character
 */
export function matchesText(pattern: string, text: string, onStep?: () => void): boolean {
  const tokens = pattern.match(/\*\*|[^]/gu) ?? [];
  const isWildcard = (at: number) => tokens[at] === '*' || tokens[at] === '**';
  // Simulates an NFA: the set of token positions that the characters read so far can reach. No backtracking.
  let positions = skipWildcards([0]);
  for (const character of text) {
    const next: number[] = [];
    for (const at of positions) {
      onStep?.();
      if (tokens[at] === '**' || (tokens[at] === '*' && character !== '/')) next.push(at);
      else if (!isWildcard(at) && tokens[at] === character) next.push(at + 1);
    }
    if (next.length === 0) return false;
    positions = skipWildcards(next);
  }
  return positions.has(tokens.length);

  /** Adds the positions that are reached when wildcards match the empty text. */
  function skipWildcards(from: readonly number[]): Set<number> {
    const all = new Set(from);
    for (const at of all) if (isWildcard(at)) all.add(at + 1);
    return all;
  }
}
