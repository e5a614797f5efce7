// `berth restore`: fills an empty instance from a backup.

import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { formatDamagedBlobs } from './damaged-blobs.ts';
import { ABOUT_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';
import { warn } from './terminal.ts';

const NAME = 'restore';

export const restore = defineCommand({
  summary: 'restore a backup into an empty instance',
  usage: 'restore DIR [--blobs-only] [--allow-lost] [--json] [--quiet]',
  description: `Restores the backup in DIR into the database and storage of the settings. Both must be empty, and
no server may be running on them. Secrets of the backup are written to DATA_DIR, unless the settings contain them.
An interrupted restore resumes when it is run again with the same DIR; until it has completed, no server starts on
the instance. All users have to sign in again.

To move an instance with a short outage, copy the blobs of a backup ahead with --blobs-only while the old server
still serves. The restore then copies only what is new in the last backup.

${ABOUT_SETTINGS}`,
  options: { ...OPERATION_OPTIONS, 'blobs-only': { type: 'boolean' }, 'allow-lost': { type: 'boolean' } },
  optionTexts: {
    'blobs-only': 'only copy the blobs; a later restore, of this backup or a newer one, completes the instance',
    'allow-lost': 'skip blobs that are missing or damaged in DIR; the exit status is then 1',
    ...OPERATION_TEXTS,
  },
  examples: {
    'DATA_DIR=/var/lib/berth berth restore /srv/backup/berth': 'restore into SQLite and the file system',
    'BERTH_CONFIG=cluster.yaml berth restore /srv/backup/berth':
      'restore into the database and storage of that file, such as PostgreSQL and S3',
    'BERTH_CONFIG=cluster.yaml berth restore /srv/backup/berth --blobs-only':
      'copy the blobs ahead, while the old server still serves',
  },
  parameters: ['DIR'],
  async run(values, directory) {
    const blobsOnly = values['blobs-only'] === true;
    const allowLost = values['allow-lost'] === true;
    const report = await runOperation({
      name: NAME,
      values,
      work: (server, hooks) => server.restore(process.env, directory, { ...hooks, allowLost, blobsOnly }),
      describe: ({ rows, blobs, createdAt }) =>
        blobsOnly
          ? `Copied ${plural(blobs.restored, 'blob')} of the backup of ${createdAt}, in addition to ${blobs.kept} ` +
            'copied before. Run berth restore without --blobs-only to complete the instance.'
          : `Restored ${plural(rows['artefacts'] ?? 0, 'artefact')} and ${plural(blobs.count, 'blob')} ` +
            `(${formatBytes(blobs.sizeBytes)}) from the backup of ${createdAt}.`,
    });
    if (report.lost.length === 0) return;
    const count = plural(report.lost.length, 'blob');
    warn(NAME, `${count} could not be restored; upload the same files again:\n${formatDamagedBlobs(report.lost)}`);
    return 1;
  },
});
