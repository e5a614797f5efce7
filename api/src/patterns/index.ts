export { assertPattern, matches, matchesText } from './patterns.ts';
