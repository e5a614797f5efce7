// `berth migrate`: the database to this version's schema.

import { defineCommand } from './command.ts';
import { plural } from './format.ts';
import { ABOUT_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';

export const migrate = defineCommand({
  summary: "bring the database to this version's schema, as every start does",
  usage: 'migrate [--json] [--quiet]',
  description: `Runs the migrations that the database lacks. Every start of the server does so too: this is for upgrades that shall migrate before
the first replica starts. Back up first: there is no way back.

${ABOUT_SETTINGS}`,
  options: OPERATION_OPTIONS,
  optionTexts: OPERATION_TEXTS,
  examples: { 'DATABASE_URL=postgres://berth@db.example.org/berth berth migrate': 'migrate a database in PostgreSQL' },
  async run(values) {
    await runOperation({
      name: 'migrate',
      values,
      work: (server) => server.migrateDatabase(process.env),
      say: ({ migrated }) =>
        migrated.length === 0
          ? 'The database is up to date.'
          : `Ran ${plural(migrated.length, 'migration')}: ${migrated.join(', ')}.`,
    });
  },
});
