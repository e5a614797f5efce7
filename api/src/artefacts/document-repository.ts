// Reads stored rendered documents: the most frequent query, so its statements are prepared.

import { sql } from 'kysely';
import type { Database } from '../db/index.ts';
import type { Audience } from './document.ts';

/** A rendered document, with its visibility. */
export interface DocumentRow {
  /** JSON; UTF-8 bytes on SQLite. */
  json: string | Uint8Array;
  etag: string;
  public: number;
}

export function documentRepository({ db, dialect, prepareOne }: Database) {
  const byId = { limited: prepare('limited'), full: prepare('full') };

  function prepare(audience: Audience) {
    const text = sql.ref(`${audience}_document`);
    // Bytes are sent as they are stored; text would be decoded and encoded again.
    const json = sql<DocumentRow['json']>`${dialect === 'sqlite' ? sql`cast(${text} as blob)` : text}`;
    const query = db
      .selectFrom('artefact_documents')
      .select([json.as('json'), `${audience}_etag as etag`, 'public'])
      .where('artefact_id', '=', '');
    return prepareOne<DocumentRow>(query.compile(), ['json', 'etag', 'public']);
  }

  return {
    find: (id: string, audience: Audience): Promise<DocumentRow | undefined> => byId[audience](id),
  };
}
