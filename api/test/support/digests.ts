import { createHash } from 'node:crypto';
import { digestOf as digestOfHash } from '../../src/digests/index.ts';

/** Digest of bytes, as documents show it: `sha256:<64 hexadecimal digits>`. */
export function digestOf(bytes: Uint8Array): string {
  return digestOfHash(createHash('sha256').update(bytes));
}
