// Table types, the same on SQLite and PostgreSQL: times are ISO 8601 text, booleans 0 or 1, JSON is text.
// migrations/ creates the tables. More tables: auth-schema.ts (better-auth), event-schema.ts, remote-schema.ts,
// tarball-schema.ts, transfer-schema.ts.

import type { Generated } from 'kysely';
import type { AuthSchema } from './auth-schema.ts';
import type { EventSchema } from './event-schema.ts';
import type { RemoteSchema } from './remote-schema.ts';
import type { TarballSchema } from './tarball-schema.ts';
import type { TransferSchema } from './transfer-schema.ts';

export interface Schema extends AuthSchema, EventSchema, RemoteSchema, TarballSchema, TransferSchema {
  access_grants: AccessGrantsTable;
  api_keys: ApiKeysTable;
  artefact_access: ArtefactAccessTable;
  artefact_documents: ArtefactDocumentsTable;
  artefacts: ArtefactsTable;
  blob_writers: BlobWritersTable;
  blobs: BlobsTable;
  failed_attempts: FailedAttemptsTable;
  job_runs: JobRunsTable;
  leases: LeasesTable;
  list_versions: ListVersionsTable;
  resumable_uploads: ResumableUploadsTable;
  secret_fingerprints: SecretFingerprintsTable;
  slots: SlotsTable;
  thumbnails: ThumbnailsTable;
  trusted_publishers: TrustedPublishersTable;
  used_identity_tokens: UsedIdentityTokensTable;
}

export interface AccessGrantsTable {
  id: string;
  account_type: string;
  account_id: string;
  account_name: string | null;
  /** Empty string: the organisation and all its departments. */
  department: string;
  granted_by: string;
  granted_at: string;
}

export interface ApiKeysTable {
  id: string;
  type: string;
  name: string;
  short_id: string;
  /** HMAC-SHA-512 of the key under API_KEYS_SALT, hexadecimal. */
  hash: string;
  allowed_name: string | null;
  allowed_name_prefix: string | null;
  allowed_package_name: string | null;
  allowed_category: string | null;
  owner_type: string | null;
  owner_id: string | null;
  owner_name: string | null;
  owner_department: string | null;
  created_at: string;
  created_by: string;
  expires_at: string | null;
  last_used_at: string | null;
  /** The key before the last rotation, and until when it stays valid. */
  previous_hash: string | null;
  previous_short_id: string | null;
  previous_until: string | null;
  rotated_at: string | null;
  /** When the expiry notice was sent. */
  expiry_announced_at: string | null;
  /** When the event about its expiry was written. */
  expiry_recorded_at: string | null;
  /** Trusted publisher of a short-lived key that a pipeline got for its identity token. */
  publisher_id: string | null;
}

/** Recognises the secrets that other rows depend on. */
export interface SecretFingerprintsTable {
  /** Name of the setting, such as AUTH_SECRET. */
  name: string;
  /** HMAC-SHA-256 under the secret, hexadecimal. */
  fingerprint: string;
}

export interface TrustedPublishersTable {
  id: string;
  name: string;
  provider: string;
  issuer: string;
  repository: string;
  repository_id: string | null;
  workflow: string | null;
  branch: string | null;
  tag: string | null;
  environment: string | null;
  any_ref: number;
  events: string | null;
  allowed_name: string | null;
  allowed_name_prefix: string | null;
  allowed_package_name: string | null;
  allowed_category: string | null;
  created_at: string;
  /** JSON. */
  created_by: string;
  last_used_at: string | null;
}

export interface UsedIdentityTokensTable {
  /** SHA-256 of the signed part of the token. */
  digest: string;
  /** When the token expires. */
  until: string;
}

export interface FailedAttemptsTable {
  /** The kind of attempt and a hash of whom or what it is counted for. */
  subject: string;
  count: number;
  until: string;
}

/** The columns for filtering, sorting (version-key.ts), searching and access checks; narrow: scans are fast. */
export interface ArtefactsTable {
  /** Row number: ties the row to its full-text entry on SQLite. */
  seq: Generated<number>;
  id: string;
  format: string;
  category: string;
  package_name: string | null;
  group_fr: string | null;
  group_en: string | null;
  public: number;
  deprecated: number;
  origin: string | null;
  data_updated_at: string;
  version_key: string;
  /** Whole seconds since the epoch, strictly increasing: `Last-Modified` of downloads. */
  last_modified: number;
  /** Folded words of ID, package name, title and description. */
  search_text: string;
}

/** The complete record of an artefact, and its documents as they are sent. */
export interface ArtefactDocumentsTable {
  artefact_id: string;
  /** Copy of `artefacts.public`, so that reading a document needs no join for the access check. */
  public: number;
  /** All fields but the access list, as JSON; the source of the columns of `artefacts`. */
  record: string;
  /** The wire document for callers who may not see the uploader, and its ETag. */
  limited_document: string;
  limited_etag: string;
  /** The wire document for superadmins and internal services, and its ETag. */
  full_document: string;
  full_etag: string;
  /** DOCUMENT_VERSION of the program that rendered them; 0 if it had none. */
  document_version: number;
  /** `limited_etag` as `document_version` was set: it differs after a change by a program that knows no versions. */
  versioned_etag: string;
}

/** Number of rows in list_versions. */
export const LIST_VERSION_SHARDS = 16;

/** Counts changes of artefacts, sharded over rows so that writers seldom wait for each other; readers sum them up. */
export interface ListVersionsTable {
  shard: number;
  version: number;
}

export interface ArtefactAccessTable {
  artefact_id: string;
  account_type: string;
  account_id: string;
  account_name: string | null;
  /** Empty string: the organisation and all its departments. */
  department: string;
}

export interface SlotsTable {
  artefact_id: string;
  /** Architecture of an npm slot; FILE_SLOT (empty string) on a file artefact. */
  architecture: string;
  digest: string;
  path: string;
  size: number;
  version: string | null;
  file_name: string | null;
  uploaded_at: string;
  uploaded_by: string;
  has_native_modules: number;
  has_install_scripts: number;
}

export interface BlobsTable {
  /** `sha256:<hex>`. */
  digest: string;
  storage_key: string;
  size: number;
  state: string;
  created_at: string;
  /** When a sweep first found that no slot refers to it; null while one does, as far as is known. */
  unreferenced_since: Generated<string | null>;
}

/** A blob write in progress. Its row exists before its first byte, so that a sweep does not delete the object. */
export interface BlobWritersTable {
  storage_key: string;
  /** State that the driver needs to resume; empty until it is known. */
  state: string;
  created_at: string;
  heartbeat_at: string;
}

export interface ThumbnailsTable {
  id: string;
  artefact_id: string;
  content_type: string;
  data: Uint8Array;
}

/** Mutual exclusion among all replicas; times are by the database's clock. */
export interface LeasesTable {
  name: string;
  /** Null if the lease was released. */
  holder: string | null;
  /** Fencing token: strictly increasing across holders. */
  token: number;
  expires_at: string;
}

/**
 * The schedule and state of a job, so that any replica can run, continue or watch it; times are by the database's
 * clock.
 */
export interface JobRunsTable {
  name: string;
  /** Null: runs only on request. In the past while the job runs. */
  due_at: string | null;
  /** Fencing token of the lease of the last run. */
  token: number;
  started_at: string | null;
  /** Null while it runs, and after an interruption. */
  ended_at: string | null;
  /** `succeeded` or `failed`, of the last run that ended. */
  outcome: string | null;
  /** Failed runs since the last success. */
  failures: number;
  /** Runs in a row that neither ended nor were stopped by a shutdown, including the current one. */
  unended_runs: Generated<number>;
  /** Code or message of the last failure. */
  error: string | null;
  /** JSON; of the current or the last run. */
  progress: string | null;
  /** JSON; of the last successful run. */
  result: string | null;
}

/** A resumable upload; for a while after its end, its result. Times are by the database's clock. */
export interface ResumableUploadsTable {
  /** Unguessable: the last part of the upload's URL. */
  id: string;
  /** Key of the row in blob_writers, until the upload is published. */
  storage_key: string;
  artefact_id: string;
  format: string;
  /** Form fields as JSON. */
  fields: string;
  /** Announced length in bytes. */
  size: number;
  /** Stored bytes; null while a request writes, and if its process died. */
  received: number | null;
  /** See identityOf in access/caller.ts. */
  created_by: string;
  /** See networkOf in attempts/; empty for uploads from before it was stored. */
  network: string;
  created_at: string;
  expires_at: string;
  /** Random name of the only request that may write; null if there is none. */
  claim: string | null;
  /** When the claim expires unless its holder renews it. */
  claimed_until: string | null;
  /** 1 if another request waits for the claim. */
  claim_wanted: number;
  /** The artefact's document as the uploader sees it, once published. */
  document: string | null;
  digest: string | null;
}
