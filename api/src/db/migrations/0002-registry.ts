// Keys, audit events, blobs, artefacts with their slots, access entries and captured scans.

import { sql } from 'kysely';
import type { DialectName, Executor } from '../database.ts';
import { LIST_VERSION_SHARDS } from '../schema.ts';
import { columnTypes } from './columns.ts';

export async function createRegistry(db: Executor, dialect: DialectName): Promise<void> {
  await createKeysAndAudit(db, dialect);
  await createBlobs(db, dialect);
  await createArtefacts(db, dialect);
  await (dialect === 'postgres' ? createPostgresSearch(db) : createSqliteSearch(db));
}

async function createKeysAndAudit(db: Executor, dialect: DialectName): Promise<void> {
  const { text } = columnTypes(dialect);
  await db.schema
    .createTable('api_keys')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('type', text, (c) => c.notNull())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('short_id', text, (c) => c.notNull())
    .addColumn('hash', text, (c) => c.notNull().unique())
    .addColumn('allowed_name', text)
    .addColumn('allowed_name_prefix', text)
    .addColumn('allowed_package_name', text)
    .addColumn('allowed_category', text)
    .addColumn('owner_type', text)
    .addColumn('owner_id', text)
    .addColumn('owner_name', text)
    .addColumn('owner_department', text)
    .addColumn('created_at', text, (c) => c.notNull())
    .addColumn('created_by', text, (c) => c.notNull())
    .addColumn('expires_at', text)
    .addColumn('last_used_at', text)
    .execute();
  await db.schema.createIndex('api_keys_owner_idx').on('api_keys').columns(['owner_type', 'owner_id']).execute();

  await db.schema
    .createTable('audit_events')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('at', text, (c) => c.notNull())
    .addColumn('actor_kind', text, (c) => c.notNull())
    .addColumn('actor_id', text)
    .addColumn('actor_name', text)
    .addColumn('action', text, (c) => c.notNull())
    .addColumn('target_type', text, (c) => c.notNull())
    .addColumn('target_id', text, (c) => c.notNull())
    .addColumn('outcome', text, (c) => c.notNull())
    .addColumn('ip', text)
    .addColumn('request_id', text)
    .addColumn('details', text)
    .execute();
  await db.schema.createIndex('audit_events_at_idx').on('audit_events').columns(['at', 'id']).execute();
}

async function createBlobs(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8 } = columnTypes(dialect);
  await db.schema
    .createTable('blobs')
    .addColumn('digest', text, (c) => c.notNull().primaryKey())
    .addColumn('storage_key', text, (c) => c.notNull().unique())
    .addColumn('size', int8, (c) => c.notNull())
    .addColumn('state', text, (c) => c.notNull().check(sql`state in ('sound', 'damaged', 'missing')`))
    .addColumn('created_at', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('blob_writers')
    .addColumn('storage_key', text, (c) => c.notNull().primaryKey())
    .addColumn('state', text, (c) => c.notNull())
    .addColumn('created_at', text, (c) => c.notNull())
    .addColumn('heartbeat_at', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('tarball_scans')
    .addColumn('digest', text, (c) => c.notNull().primaryKey().references('blobs.digest').onDelete('cascade'))
    .addColumn('scan_version', 'integer', (c) => c.notNull())
    .addColumn('readme', text)
    .addColumn('files', text, (c) => c.notNull())
    .addColumn('packages', text, (c) => c.notNull())
    .addColumn('unpacked_size', int8, (c) => c.notNull())
    .execute();
}

async function createArtefacts(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8, sequence } = columnTypes(dialect);
  await db.schema
    .createTable('artefacts')
    .addColumn('seq', sequence, (c) => c.notNull().primaryKey())
    .addColumn('id', text, (c) => c.notNull().unique())
    .addColumn('format', text, (c) => c.notNull().check(sql`format in ('npm', 'file')`))
    .addColumn('category', text, (c) => c.notNull())
    .addColumn('package_name', text)
    .addColumn('group_fr', text)
    .addColumn('group_en', text)
    .addColumn('public', 'integer', (c) => c.notNull())
    .addColumn('deprecated', 'integer', (c) => c.notNull())
    .addColumn('origin', text)
    .addColumn('data_updated_at', text, (c) => c.notNull())
    .addColumn('last_modified', int8, (c) => c.notNull())
    .addColumn('search_text', text, (c) => c.notNull())
    .execute();
  // One index per sort order, with every column that filters use: pages and counts are read from the index alone.
  const filters = [
    'deprecated',
    'public',
    'format',
    'category',
    'package_name',
    'group_fr',
    'group_en',
    'origin',
    'seq',
  ];
  await db.schema
    .createIndex('artefacts_newest_idx')
    .on('artefacts')
    .columns(['data_updated_at desc', 'id', ...filters])
    .execute();
  await db.schema
    .createIndex('artefacts_name_idx')
    .on('artefacts')
    .columns(['id', ...filters])
    .execute();
  for (const column of ['format', 'category', 'package_name', 'origin', 'group_fr', 'group_en']) {
    await db.schema
      .createIndex(`artefacts_${column}_idx`)
      .on('artefacts')
      .columns([column, 'deprecated', 'data_updated_at desc', 'id', 'public', 'seq'])
      .execute();
  }

  await db.schema
    .createTable('artefact_documents')
    .addColumn('artefact_id', text, (c) => c.notNull().primaryKey().references('artefacts.id').onDelete('cascade'))
    .addColumn('public', 'integer', (c) => c.notNull())
    .addColumn('record', text, (c) => c.notNull())
    .addColumn('limited_document', text, (c) => c.notNull())
    .addColumn('limited_etag', text, (c) => c.notNull())
    .addColumn('full_document', text, (c) => c.notNull())
    .addColumn('full_etag', text, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('list_versions')
    .addColumn('shard', 'integer', (c) => c.notNull().primaryKey())
    .addColumn('version', int8, (c) => c.notNull())
    .execute();
  await db
    .insertInto('list_versions')
    .values(Array.from({ length: LIST_VERSION_SHARDS }, (_unused, shard) => ({ shard, version: 0 })))
    .execute();

  await db.schema
    .createTable('slots')
    .addColumn('artefact_id', text, (c) => c.notNull().references('artefacts.id').onDelete('cascade'))
    .addColumn('architecture', text, (c) => c.notNull())
    .addColumn('digest', text, (c) => c.notNull().references('blobs.digest').onDelete('restrict'))
    .addColumn('path', text, (c) => c.notNull())
    .addColumn('size', int8, (c) => c.notNull())
    .addColumn('version', text)
    .addColumn('file_name', text)
    .addColumn('uploaded_at', text, (c) => c.notNull())
    .addColumn('uploaded_by', text, (c) => c.notNull())
    .addColumn('has_native_modules', 'integer', (c) => c.notNull())
    .addColumn('has_install_scripts', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('slots_pk', ['artefact_id', 'architecture'])
    .execute();
  await db.schema.createIndex('slots_digest_idx').on('slots').column('digest').execute();

  await db.schema
    .createTable('artefact_access')
    .addColumn('artefact_id', text, (c) => c.notNull().references('artefacts.id').onDelete('cascade'))
    .addColumn('account_type', text, (c) => c.notNull())
    .addColumn('account_id', text, (c) => c.notNull())
    .addColumn('account_name', text)
    .addColumn('department', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('artefact_access_pk', ['artefact_id', 'account_type', 'account_id', 'department'])
    .execute();
  await db.schema
    .createIndex('artefact_access_account_idx')
    .on('artefact_access')
    .columns(['account_type', 'account_id', 'department', 'artefact_id'])
    .execute();
}

async function createPostgresSearch(db: Executor): Promise<void> {
  await sql`create extension if not exists pg_trgm`.execute(db);
  await sql`create index artefacts_search_idx on artefacts using gin (search_text gin_trgm_ops)`.execute(db);
}

/**
 * An external-content full-text index; triggers keep it equal to artefacts.search_text
 * (https://sqlite.org/fts5.html#external_content_tables).
 */
async function createSqliteSearch(db: Executor): Promise<void> {
  await sql`create virtual table artefact_search using fts5(
    search_text, content = 'artefacts', content_rowid = 'seq',
    tokenize = 'trigram case_sensitive 1', detail = 'full')`.execute(db);
  await sql`create trigger artefact_search_insert after insert on artefacts begin
    insert into artefact_search(rowid, search_text) values (new.seq, new.search_text); end`.execute(db);
  await sql`create trigger artefact_search_delete after delete on artefacts begin
    insert into artefact_search(artefact_search, rowid, search_text)
      values ('delete', old.seq, old.search_text); end`.execute(db);
  await sql`create trigger artefact_search_update after update of search_text on artefacts
    when old.search_text <> new.search_text begin
    insert into artefact_search(artefact_search, rowid, search_text) values ('delete', old.seq, old.search_text);
    insert into artefact_search(rowid, search_text) values (new.seq, new.search_text); end`.execute(db);
}
