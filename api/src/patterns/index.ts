export { assertPattern, matches } from './patterns.ts';
