// The tables of federation.

export interface RemoteSchema {
  remote_artefacts: RemoteArtefactsTable;
  remote_fetches: RemoteFetchesTable;
  remote_registries: RemoteRegistriesTable;
}

/** A registry that artefacts are mirrored from. */
export interface RemoteRegistriesTable {
  /** Its base URL, normalised. */
  id: string;
  name: string;
  /** Encrypted under CIPHER_PASSWORD; null where there is none, as after an import. */
  api_key: string | null;
  api_key_short_id: string | null;
  /** Cron expression; null: only by hand. */
  schedule: string | null;
  /** JSON. */
  selected_patterns: string;
  created_at: string;
  /** What the next run was asked for, as JSON. */
  requested: string | null;
  /** When everything is compared again. */
  next_full_at: string | null;
  /** How many artefacts its list had last. */
  upstream_count: number | null;
  last_sync_at: string | null;
  last_sync_status: string | null;
  last_sync_error: string | null;
  /** `too_many_removed`, `artefacts_failed`, or the code of the error. */
  last_sync_error_code: string | null;
}

/** An artefact that is mirrored, or is to be, and how that went last. */
export interface RemoteArtefactsTable {
  remote_id: string;
  artefact_id: string;
  /** 1: chosen by its id; 0: by a pattern. */
  selected: number;
  status: string;
  at: string | null;
  bytes: number | null;
  seconds: number | null;
  reason: string | null;
  /** Failures since the last success. */
  attempts: number;
  next_try_at: string | null;
  /** Fingerprint of what the remote had when it arrived whole. */
  upstream_state: string | null;
}

/** A download that can be continued where it was interrupted. */
export interface RemoteFetchesTable {
  remote_id: string;
  artefact_id: string;
  architecture: string;
  /** Names the bytes: their digest, or when they were uploaded. */
  source: string;
  etag: string | null;
  /** Of the row in blob_writers. */
  storage_key: string;
}
