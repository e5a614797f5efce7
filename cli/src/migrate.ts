// `berth migrate`: migrates the database to this version's schema.

import { defineCommand } from './command.ts';
import { plural } from './format.ts';
import { ABOUT_LIVE_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';

export const migrate = defineCommand({
  summary: 'migrate the database, as every start of the server does',
  usage: 'migrate [--json] [--quiet]',
  description: `Runs the pending migrations of the database. Every start of the server does the same: use this
command to migrate before the first replica of an upgrade starts. Back up first: migrations cannot be undone.

${ABOUT_LIVE_SETTINGS}`,
  options: OPERATION_OPTIONS,
  optionTexts: OPERATION_TEXTS,
  examples: { 'DATABASE_URL=postgres://berth@db.example.org/berth berth migrate': 'migrate a PostgreSQL database' },
  async run(values) {
    await runOperation({
      name: 'migrate',
      values,
      work: (server) => server.migrateDatabase(process.env),
      describe: ({ migrated }) =>
        migrated.length === 0
          ? 'The database is up to date.'
          : `Ran ${plural(migrated.length, 'migration')}: ${migrated.join(', ')}.`,
    });
  },
});
