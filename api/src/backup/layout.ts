// The directory layout of a backup, and its manifest:
//   manifest.json                    written last; names the current snapshot
//   snapshot-<time>-<random>/        <table>.jsonl for each table; secrets.json
//   blobs/sha256/<2 digits>/<hex>    blobs by digest, shared by consecutive snapshots

import { join } from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';

/** Increased when older versions cannot restore the format. */
export const FORMAT_VERSION = 1;
export const MANIFEST_FILE = 'manifest.json';
export const SECRETS_FILE = 'secrets.json';
/** Suffix of files being written; a later backup removes leftovers. */
export const PARTIAL_SUFFIX = '~part';

const DIGEST = '^sha256:[0-9a-f]{64}$';
export const SNAPSHOT_NAME = /^snapshot-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}$/;
export const BLOB_FILE_NAME = /^[0-9a-f]{64}$/;

const Count = Type.Integer({ minimum: 0 });
const Digest = Type.String({ pattern: DIGEST });
const LostBlobSchema = Type.Object({
  digest: Digest,
  sizeBytes: Count,
  /**
   * `missing`: no bytes; `damaged`: bytes that do not match the digest; `unreadable`: the storage cannot read them.
   */
  reason: Type.Union([Type.Literal('missing'), Type.Literal('damaged'), Type.Literal('unreadable')]),
  /** The artefacts that refer to the blob; the architecture of file artefacts is empty. */
  artefacts: Type.Array(Type.Object({ id: Type.String(), architecture: Type.String() })),
});

export const ManifestSchema = Type.Object({
  format: Type.Literal('berth-backup'),
  formatVersion: Type.Integer({ minimum: 1 }),
  berthVersion: Type.String(),
  /** When the snapshot was taken. */
  createdAt: Type.String(),
  snapshot: Type.String({ pattern: SNAPSHOT_NAME.source }),
  /** Applied migrations of the database, in order. */
  migrations: Type.Array(Type.String(), { minItems: 1 }),
  /** In the order in which foreign keys allow them to be filled. */
  tables: Type.Array(
    Type.Object({ name: Type.String({ pattern: '^[A-Za-z_]+$' }), rows: Count, sizeBytes: Count, digest: Digest }),
  ),
  blobs: Type.Object({ count: Count, sizeBytes: Count, lost: Type.Array(LostBlobSchema) }),
  secrets: Type.Object({
    /** Names of the secrets in secrets.json, whose digest follows. Empty if the environment sets all secrets. */
    included: Type.Array(Type.String()),
    digest: Type.Optional(Digest),
    /** Names of the other secrets that the instance needs, to be kept elsewhere. */
    leftOut: Type.Array(Type.String()),
  }),
});

export type Manifest = Static<typeof ManifestSchema>;
export type LostBlob = Static<typeof LostBlobSchema>;

/** Parses a manifest, or returns why it cannot be used. */
export function parseManifest(text: string): { manifest: Manifest } | { problem: 'format' | 'newer' } {
  const value = parseJson(text);
  const { format, formatVersion } = (value ?? {}) as Partial<Manifest>;
  if (format === 'berth-backup' && typeof formatVersion === 'number' && formatVersion > FORMAT_VERSION)
    return { problem: 'newer' };
  return Value.Check(ManifestSchema, value) ? { manifest: value } : { problem: 'format' };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function newSnapshotName(createdAt: string, random: string): string {
  return `snapshot-${createdAt.replaceAll(/[-:]|\.\d+/g, '')}-${random}`;
}

export function tablePath(directory: string, snapshot: string, table: string): string {
  return join(directory, snapshot, `${table}.jsonl`);
}
export function secretsPath(directory: string, snapshot: string): string {
  return join(directory, snapshot, SECRETS_FILE);
}
export function blobsFolder(directory: string): string {
  return join(directory, 'blobs', 'sha256');
}

/** @param digest `sha256:<hex>` */
export function blobPath(directory: string, digest: string): string {
  const hex = digest.replace(/^sha256:/, '');
  return join(blobsFolder(directory), hex.slice(0, 2), hex);
}
