// Which tables a backup has, and why not the others. A test holds both lists together equal to the tables of the
// database.

export interface BackedUpTable {
  name: string;
  /** Orders the rows, so that equal databases give equal files. */
  orderBy: readonly string[];
  /** Columns that the database fills by itself. */
  generated?: readonly string[];
  /** The column with the digest of a blob: rows that no slot refers to are garbage that waits for the sweep. */
  blobColumn?: string;
}

/** In the order in which foreign keys let them be filled. */
export const BACKED_UP_TABLES: readonly BackedUpTable[] = [
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
];

/** Why a table is not in a backup. */
export const LEFT_OUT_TABLES: Readonly<Record<string, string>> = {
  session: 'a session that was ended since must not come back: after a restore everybody signs in again',
  verification: 'steps of a sign-in that is under way; they expire within minutes',
  rateLimit: 'attempts of the last minutes',
  failed_attempts: 'as rateLimit',
  blob_writers: 'uploads that are under way on the instance that was backed up',
  resumable_uploads: 'as blob_writers; what they published is in the backup',
  remote_fetches: 'as blob_writers: what is missing is fetched again',
  leases: 'held by processes of the instance that was backed up',
  job_runs: 'when work is due and how its last run went, on the instance that was backed up',
  list_versions: 'tells running processes that something has changed; the migration makes its rows',
};
