// The tables of federation.

export interface RemoteSchema {
  remote_artefacts: RemoteArtefactsTable;
  remote_fetches: RemoteFetchesTable;
  remote_registries: RemoteRegistriesTable;
}

/** A registry that artefacts are mirrored from. */
export interface RemoteRegistriesTable {
  /** Normalised base URL. */
  id: string;
  name: string;
  /** Encrypted under CIPHER_PASSWORD; null if there is none, as after an import. */
  api_key: string | null;
  api_key_short_id: string | null;
  /** Cron expression; null: no schedule, only manual runs. */
  schedule: string | null;
  /** JSON. */
  selected_patterns: string;
  created_at: string;
  /** The request for the next run, as JSON. */
  requested: string | null;
  /** When the next run must compare everything. */
  next_full_at: string | null;
  /** Number of artefacts in its list at the last run. */
  upstream_count: number | null;
  last_sync_at: string | null;
  last_sync_status: string | null;
  last_sync_error: string | null;
  /** `too_many_removed`, `artefacts_failed`, or the code of the error. */
  last_sync_error_code: string | null;
}

/** An artefact that is mirrored or selected to be, with the result of the last attempt. */
export interface RemoteArtefactsTable {
  remote_id: string;
  artefact_id: string;
  /** 1: selected by its ID; 0: by a pattern. */
  selected: number;
  status: string;
  at: string | null;
  bytes: number | null;
  seconds: number | null;
  reason: string | null;
  /** Failures since the last success. */
  attempts: number;
  next_try_at: string | null;
  /** Fingerprint of the remote's artefact when it was last mirrored completely. */
  upstream_state: string | null;
}

/** A download that can be resumed after an interruption. */
export interface RemoteFetchesTable {
  remote_id: string;
  artefact_id: string;
  architecture: string;
  /** Identifies the content: its digest, or its upload time. */
  source: string;
  etag: string | null;
  /** Key of the row in blob_writers. */
  storage_key: string;
}
