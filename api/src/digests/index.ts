export { digestFrom, digestOf, fromReprDigest, hexOf, isDigest, toReprDigest, type Digest } from './digest.ts';
