// The tables that a backup contains, and why the others are left out. A test checks that the two lists together cover
// all tables of the database.

export interface BackedUpTable {
  name: string;
  /** Row order: equal databases produce equal files. */
  orderBy: readonly string[];
  /** Columns that the database generates. */
  generated?: readonly string[];
  /** The column with a blob's digest. Rows that no slot refers to are left out: the sweep would delete them. */
  blobColumn?: string;
}

/** In the order in which foreign keys allow them to be filled. */
export const BACKED_UP_TABLES: readonly BackedUpTable[] = [
  { name: 'secret_fingerprints', orderBy: ['name'] },
  { name: 'user', orderBy: ['id'] },
  { name: 'account', orderBy: ['id'] },
  { name: 'twoFactor', orderBy: ['id'] },
  { name: 'organization', orderBy: ['id'] },
  { name: 'member', orderBy: ['id'] },
  { name: 'team', orderBy: ['id'] },
  { name: 'teamMember', orderBy: ['id'] },
  { name: 'invitation', orderBy: ['id'] },
  { name: 'access_grants', orderBy: ['id'] },
  { name: 'api_keys', orderBy: ['id'] },
  { name: 'trusted_publishers', orderBy: ['id'] },
  { name: 'used_identity_tokens', orderBy: ['digest'] },
  { name: 'audit_events', orderBy: ['at', 'id'] },
  { name: 'events', orderBy: ['tx_id', 'seq'], generated: ['tx_id', 'seq'] },
  { name: 'blobs', orderBy: ['digest'], blobColumn: 'digest' },
  { name: 'tarball_scans', orderBy: ['digest'], blobColumn: 'digest' },
  { name: 'file_index_parts', orderBy: ['digest', 'part'], blobColumn: 'digest' },
  { name: 'artefacts', orderBy: ['seq'], generated: ['seq'] },
  { name: 'artefact_documents', orderBy: ['artefact_id'] },
  { name: 'artefact_access', orderBy: ['artefact_id', 'account_type', 'account_id', 'department'] },
  { name: 'slots', orderBy: ['artefact_id', 'architecture'] },
  { name: 'thumbnails', orderBy: ['id'] },
  { name: 'remote_registries', orderBy: ['id'] },
  { name: 'remote_artefacts', orderBy: ['remote_id', 'artefact_id'] },
  { name: 'daily_transfers', orderBy: ['day', 'artefact_id'] },
  { name: 'monthly_transfers', orderBy: ['month', 'artefact_id'] },
];

/** Tables that a backup does not contain, with the reason. */
export const LEFT_OUT_TABLES: Readonly<Record<string, string>> = {
  session: 'a session revoked since the backup must not become valid again; everybody signs in again after a restore',
  verification: 'steps of sign-ins in progress, which expire within minutes',
  rateLimit: 'attempts of the last few minutes',
  failed_attempts: 'as rateLimit',
  blob_writers: 'uploads in progress on the original instance',
  resumable_uploads: 'as blob_writers; published artefacts are in the backup',
  remote_fetches: 'as blob_writers; missing artefacts are fetched again',
  leases: 'held by processes of the original instance',
  job_runs: 'schedule and last results of jobs on the original instance',
  list_versions: 'notifies running processes of changes; the migration inserts its rows',
};
