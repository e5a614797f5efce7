// Reads stored rendered documents: the most frequent query, so its statements are prepared. Also finds those that an
// older version of the program has rendered.

import { sql } from 'kysely';
import type { Database, DialectName, Executor, Tx } from '../db/index.ts';
import { DOCUMENT_VERSION, type Audience } from './document.ts';

/** A rendered document, with its visibility. */
export interface DocumentRow {
  /** JSON; UTF-8 bytes on SQLite. */
  json: string | Uint8Array;
  etag: string;
  public: number;
  /** 1 if the document is to be rendered anew. */
  outdated: number;
}

/** Condition on artefact_documents. A replica of an older version may have changed a row after its renewal. */
export const IS_OUTDATED = sql<boolean>`(document_version < ${sql.lit(DOCUMENT_VERSION)}
  or versioned_etag <> limited_etag)`;

/** Finds outdated documents by two indexes, the second of which is of rows that an older replica has changed. */
export async function findOutdatedDocuments(executor: Executor, limit: number): Promise<string[]> {
  const rows = executor.selectFrom('artefact_documents').select('artefact_id').limit(limit);
  const older = await rows
    .where('document_version', '<', DOCUMENT_VERSION)
    // The order of the index: any other would sort all that are left.
    .orderBy('document_version')
    .orderBy('artefact_id')
    .execute();
  const changed = older.length > 0 ? [] : await rows.whereRef('versioned_etag', '<>', 'limited_etag').execute();
  return [...older, ...changed].map((row) => row.artefact_id);
}

/** Locks artefacts until the transaction ends. On SQLite, a transaction locks everything. */
export async function lockArtefacts(tx: Tx, dialect: DialectName, ids: readonly string[]): Promise<void> {
  if (dialect === 'sqlite') return;
  await tx.selectFrom('artefacts').select('id').where('id', 'in', ids).orderBy('id').forUpdate().execute();
}

export function documentRepository({ db, dialect, prepareOne }: Database) {
  const byId = { limited: prepare('limited'), full: prepare('full') };

  function prepare(audience: Audience) {
    const text = sql.ref(`${audience}_document`);
    // Bytes are sent as they are stored; text would be decoded and encoded again.
    const json = sql<DocumentRow['json']>`${dialect === 'sqlite' ? sql`cast(${text} as blob)` : text}`;
    const outdated = sql<number>`case when ${IS_OUTDATED} then 1 else 0 end`;
    const query = db
      .selectFrom('artefact_documents')
      .select([json.as('json'), `${audience}_etag as etag`, 'public', outdated.as('outdated')])
      .where('artefact_id', '=', '');
    return prepareOne<DocumentRow>(query.compile(), ['json', 'etag', 'public', 'outdated']);
  }

  return {
    find: (id: string, audience: Audience): Promise<DocumentRow | undefined> => byId[audience](id),
  };
}
