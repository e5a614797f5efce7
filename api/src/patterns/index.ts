export { assertPattern, matches, PatternInvalidError } from './patterns.ts';
