// SHA-256 digests: `sha256:<64 hexadecimal digits>` everywhere, `Repr-Digest` fields in HTTP (RFC 9530).

import type { Hash } from 'node:crypto';

export type Digest = `sha256:${string}`;

const PREFIX = 'sha256:';
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const REPR_DIGEST = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/;

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** Finalises a SHA-256 hash, which cannot be updated afterwards. */
export function digestOf(hash: Hash): Digest {
  return `${PREFIX}${hash.digest('hex')}`;
}

/** Formats the 32 bytes of a hash, in base64url. */
export function digestFrom(base64url: string): Digest {
  return `${PREFIX}${Buffer.from(base64url, 'base64url').toString('hex')}`;
}

export function hexOf(digest: string): string {
  return digest.slice(PREFIX.length);
}

/** Value of a `Repr-Digest` header: `sha-256=:<base64>:`. */
export function toReprDigest(digest: string): string {
  return `sha-256=:${Buffer.from(hexOf(digest), 'hex').toString('base64')}:`;
}

/** Parses a `Repr-Digest` header; returns undefined when it has no SHA-256. */
export function fromReprDigest(header: string | undefined): Digest | undefined {
  const [, base64] = REPR_DIGEST.exec(header ?? '') ?? [];
  return base64 === undefined ? undefined : `${PREFIX}${Buffer.from(base64, 'base64').toString('hex')}`;
}
