// The tables as TypeScript sees them, the same on SQLite and PostgreSQL: ISO 8601 text for times, 0 or 1
// for booleans, JSON as text. migrations/ creates them; better-auth's own tables are in auth-schema.ts, those of
// federation in remote-schema.ts, those of what is inside of tarballs in tarball-schema.ts.

import type { Generated } from 'kysely';
import type { AuthSchema } from './auth-schema.ts';
import type { RemoteSchema } from './remote-schema.ts';
import type { TarballSchema } from './tarball-schema.ts';

export interface Schema extends AuthSchema, RemoteSchema, TarballSchema {
  access_grants: AccessGrantsTable;
  api_keys: ApiKeysTable;
  artefact_access: ArtefactAccessTable;
  artefact_documents: ArtefactDocumentsTable;
  artefacts: ArtefactsTable;
  audit_events: AuditEventsTable;
  blob_writers: BlobWritersTable;
  blobs: BlobsTable;
  daily_transfers: DailyTransfersTable;
  failed_attempts: FailedAttemptsTable;
  job_runs: JobRunsTable;
  leases: LeasesTable;
  list_versions: ListVersionsTable;
  resumable_uploads: ResumableUploadsTable;
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
  /** Of the key that this one has replaced, and until when that one holds. */
  previous_hash: string | null;
  previous_short_id: string | null;
  previous_until: string | null;
  rotated_at: string | null;
  /** When somebody was told that the key expires soon. */
  expiry_announced_at: string | null;
  /** Of a short-lived key that a pipeline got for its identity token. */
  publisher_id: string | null;
}

export interface TrustedPublishersTable {
  id: string;
  name: string;
  provider: string;
  issuer: string;
  repository: string;
  repository_id: string | null;
  workflow: string | null;
  environment: string | null;
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
  /** SHA-256 of what is signed of the token. */
  digest: string;
  /** When the token ends by itself. */
  until: string;
}

export interface FailedAttemptsTable {
  /** What was attempted and, as a hash, by whom. */
  subject: string;
  count: number;
  until: string;
}

/** What lists filter, sort and search by, and what decides about access: kept narrow, so that scanning it is quick. */
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
  /** Whole seconds since the epoch, strictly increasing: `Last-Modified` of downloads. */
  last_modified: number;
  /** Folded words of id, package name, title and description. */
  search_text: string;
}

/** The rest of an artefact, and its documents as they are sent. */
export interface ArtefactDocumentsTable {
  artefact_id: string;
  /** As in `artefacts`: what decides who may read stands in the row that is read. */
  public: number;
  /** All fields but the access list, as JSON; the columns of `artefacts` are taken from it. */
  record: string;
  /** The wire document for those who may not see who uploaded, and its ETag. */
  limited_document: string;
  limited_etag: string;
  /** The wire document for superadmins and internal services, and its ETag. */
  full_document: string;
  full_etag: string;
}

/** Rows of list_versions. */
export const LIST_VERSION_SHARDS = 16;

/**
 * Counts the changes of artefacts, in several rows so that writers seldom wait for each other; readers add them up.
 */
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
  /** When a sweep first saw that no slot refers to it; null while one does, as far as is known. */
  unreferenced_since: Generated<string | null>;
}

/** A write in flight: its row exists before its first byte, so that a sweep knows the object is wanted. */
export interface BlobWritersTable {
  storage_key: string;
  /** What the driver needs to resume; empty until it is known. */
  state: string;
  created_at: string;
  heartbeat_at: string;
}

export interface AuditEventsTable {
  id: string;
  at: string;
  actor_kind: string;
  actor_id: string | null;
  actor_name: string | null;
  action: string;
  target_type: string;
  target_id: string;
  outcome: string;
  ip: string | null;
  request_id: string | null;
  /** JSON. */
  details: string | null;
}

export interface ThumbnailsTable {
  id: string;
  artefact_id: string;
  content_type: string;
  data: Uint8Array;
}

export interface DailyTransfersTable {
  /** `2026-01-31`, UTC. */
  day: string;
  artefact_id: string;
  uploads: number;
  uploaded_bytes: number;
  downloads: number;
  downloaded_bytes: number;
}

/** The right to do something alone among all replicas; all times are the database's. */
export interface LeasesTable {
  name: string;
  /** Null when it was given back. */
  holder: string | null;
  /** Grows with every holder, so that a former one can be told from the present. */
  token: number;
  expires_at: string;
}

/**
 * What a job needs to be due, to go on in another replica, and to be watched from any; all times are the database's.
 */
export interface JobRunsTable {
  name: string;
  /** Null: only when somebody asks for it. It lies in the past while the job runs. */
  due_at: string | null;
  /** Of the lease under which the last run began. */
  token: number;
  started_at: string | null;
  /** Null while it runs, and when it was interrupted. */
  ended_at: string | null;
  /** `succeeded` or `failed`, of the last run that ended. */
  outcome: string | null;
  /** Failed runs since the last success. */
  failures: number;
  /** Code or message of the last failure. */
  error: string | null;
  /** JSON, of the run that is under way or was the last. */
  progress: string | null;
  /** JSON, of the last run that succeeded. */
  result: string | null;
}

/** An upload that may be continued, and for a while after its end what came of it; all times are the database's. */
export interface ResumableUploadsTable {
  /** Unguessable: the last part of the upload's URL. */
  id: string;
  /** Of the row in blob_writers, until the upload is published. */
  storage_key: string;
  artefact_id: string;
  format: string;
  /** Form fields as JSON. */
  fields: string;
  /** Announced length in bytes. */
  size: number;
  /** Bytes that are kept; null while some are arriving, and when the process that took them died. */
  received: number | null;
  /** See identityOf in access/caller.ts. */
  created_by: string;
  created_at: string;
  expires_at: string;
  /** Random name of the one request that may write; null while none does. */
  claim: string | null;
  /** When the claim counts no more, because its holder must have died. */
  claimed_until: string | null;
  /** 1 when another request waits for the claim. */
  claim_wanted: number;
  /** The artefact's document as the uploader gets it, once it is published. */
  document: string | null;
  digest: string | null;
}
