// Rendered documents as they were stored: the query that is asked most often of all.

import { sql } from 'kysely';
import type { Database } from '../db/index.ts';
import type { Audience } from './document.ts';

/** A rendered document, and what decides who may see it. */
export interface DocumentRow {
  /** JSON, in UTF-8 where the database gives bytes. */
  json: string | Uint8Array;
  etag: string;
  public: number;
}

export function documentRepository({ db, dialect, prepareOne }: Database) {
  const byId = { limited: prepare('limited'), full: prepare('full') };

  function prepare(audience: Audience) {
    const text = sql.ref(`${audience}_document`);
    // As bytes, it is sent as it lies in the file; as text it would be decoded and encoded again.
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
