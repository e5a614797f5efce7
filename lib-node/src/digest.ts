// Parses the registry's digests: `sha256:<64 hex digits>` in documents and, quoted, as ETag; base64 in Repr-Digest.

/** Hex digits of a digest in the name of a directory or partial file. */
const PREFIX_LENGTH = 16;

/** Returns `value` if it is a `sha256:<64 hex digits>` digest, else undefined: older registries provide none. */
export function parseDigest(value: unknown): string | undefined {
  return typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value) ? value : undefined;
}

/** Reads the digest of the whole representation from `Repr-Digest` (RFC 9530 section 3), else from the ETag. */
export function readDigestHeaders(headers: Headers): string | undefined {
  const encoded = /(?:^|[,\s])sha-256=:([A-Za-z0-9+/]{43}=):/.exec(headers.get('repr-digest') ?? '')?.[1];
  if (encoded !== undefined) return `sha256:${Buffer.from(encoded, 'base64').toString('hex')}`;
  return parseDigest(headers.get('etag')?.replace(/^"(.*)"$/, '$1'));
}

/** Shortens a digest to the 16 hex digits that name its directory. */
export function digestPrefix(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + PREFIX_LENGTH);
}
