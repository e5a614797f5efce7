// Trusted publishers: pipelines that publish without a stored key, their short-lived keys, and used identity tokens.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createTrustedPublishers(db: Executor, dialect: DialectName): Promise<void> {
  const { text } = columnTypes(dialect);
  await db.schema
    .createTable('trusted_publishers')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('provider', text, (c) => c.notNull())
    .addColumn('issuer', text, (c) => c.notNull())
    .addColumn('repository', text, (c) => c.notNull())
    .addColumn('repository_id', text)
    .addColumn('workflow', text)
    .addColumn('environment', text)
    .addColumn('allowed_name', text)
    .addColumn('allowed_name_prefix', text)
    .addColumn('allowed_package_name', text)
    .addColumn('allowed_category', text)
    .addColumn('created_at', text, (c) => c.notNull())
    .addColumn('created_by', text, (c) => c.notNull())
    .addColumn('last_used_at', text)
    .execute();
  await db.schema.createIndex('trusted_publishers_issuer_idx').on('trusted_publishers').column('issuer').execute();

  await db.schema.alterTable('api_keys').addColumn('publisher_id', text).execute();
  await db.schema
    .createIndex('api_keys_publisher_idx')
    .on('api_keys')
    .columns(['publisher_id', 'expires_at'])
    .execute();

  await db.schema
    .createTable('used_identity_tokens')
    .addColumn('digest', text, (c) => c.notNull().primaryKey())
    .addColumn('until', text, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('used_identity_tokens_until_idx').on('used_identity_tokens').column('until').execute();
}
