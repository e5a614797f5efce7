// `berth restore`: an empty instance becomes the one that was backed up.

import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { listUnsound } from './lost-blobs.ts';
import { ABOUT_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation, warn } from './operation.ts';

const NAME = 'restore';

export const restore = defineCommand({
  summary: 'fill an empty instance from a backup',
  usage: 'restore DIR [--allow-lost] [--json] [--quiet]',
  description: `Rebuilds the instance that was backed up into DIR, on whichever database and storage the settings name: both must be empty, and
no server may be running on them. Secrets of the backup go into DATA_DIR, unless the settings give them. One that was
interrupted is run again with the same DIR and goes on; until it is through, no server starts on it. Everybody signs in again.

${ABOUT_SETTINGS.replace(' The server may be running.', '')}`,
  options: { ...OPERATION_OPTIONS, 'allow-lost': { type: 'boolean' } },
  optionTexts: {
    'allow-lost': 'restore the rest where bytes are missing or damaged in DIR; exit status 1',
    ...OPERATION_TEXTS,
  },
  examples: {
    'DATA_DIR=/var/lib/berth berth restore /srv/backup/berth': 'into SQLite and files',
    'BERTH_CONFIG=cluster.yaml berth restore /srv/backup/berth': 'into what the file names, such as PostgreSQL and S3',
  },
  parameters: ['DIR'],
  async run(values, directory) {
    const report = await runOperation({
      name: NAME,
      values,
      work: (server, hooks) =>
        server.restore(process.env, directory, { ...hooks, allowLost: values['allow-lost'] === true }),
      say: ({ rows, blobs, createdAt }) =>
        `Restored ${plural(rows['artefacts'] ?? 0, 'artefact')} with ${plural(blobs.count, 'blob')} ` +
        `(${formatBytes(blobs.sizeBytes)}), as they were at ${createdAt}.`,
    });
    if (report.lost.length === 0) return;
    warn(
      NAME,
      `${plural(report.lost.length, 'blob')} could not be restored; upload the bytes ` +
        `again:\n${listUnsound(report.lost)}`,
    );
    return 1;
  },
});
