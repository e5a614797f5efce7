// Which version of the program rendered a document and scanned a tarball, so that what older versions have stored can
// be recognised and renewed; and what scans find since version 3.

import { sql } from 'kysely';
import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function versionStoredShapes(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8 } = columnTypes(dialect);
  await db.schema
    .alterTable('artefact_documents')
    .addColumn('document_version', int8, (c) => c.notNull().defaultTo(0))
    .execute();
  await db.schema
    .alterTable('artefact_documents')
    .addColumn('versioned_etag', text, (c) => c.notNull().defaultTo(''))
    .execute();
  await db.schema
    .createIndex('artefact_documents_version')
    .on('artefact_documents')
    .columns(['document_version', 'artefact_id'])
    .execute();
  await sql`create index artefact_documents_unversioned on artefact_documents (artefact_id)
    where versioned_etag <> limited_etag`.execute(db);

  for (const [column, type] of [
    ['manifest', text],
    ['dependencies', text],
    ['has_native_code', int8],
    ['integrity', text],
    ['shasum', text],
    ['scan_error', text],
  ] as const)
    await db.schema.alterTable('tarball_scans').addColumn(column, type).execute();
  await db.schema
    .createIndex('tarball_scans_version')
    .on('tarball_scans')
    .columns(['scan_version', 'digest'])
    .execute();
}
