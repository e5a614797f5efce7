// `berth backup`: copies the whole instance into a directory.

import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { formatDamagedBlobs } from './damaged-blobs.ts';
import { ABOUT_LIVE_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';
import { warn } from './terminal.ts';

const NAME = 'backup';

export const backup = defineCommand({
  summary: 'back up the instance into a directory, also while the server runs',
  usage: 'backup DIR [--verify] [--json] [--quiet]',
  description: `Copies a consistent snapshot of the database, and all blobs that it references, into DIR. If DIR
already holds a backup, only new blobs are copied, and the previous backup stays valid until the new one is
complete. An interrupted backup resumes when it is run again. Missing or damaged blobs are reported and skipped;
the exit status is then 1.

${ABOUT_LIVE_SETTINGS}`,
  options: { ...OPERATION_OPTIONS, verify: { type: 'boolean' } },
  optionTexts: { verify: 'read the blobs that DIR already holds, and replace damaged ones', ...OPERATION_TEXTS },
  examples: {
    'berth backup /srv/backup/berth': 'back up the instance in ./data',
    'DATA_DIR=/var/lib/berth berth backup /srv/backup/berth --quiet': 'the same from a timer, without progress',
  },
  parameters: ['DIR'],
  async run(values, directory) {
    const report = await runOperation({
      name: NAME,
      values,
      work: (server, hooks) => server.backup(process.env, directory, { ...hooks, verify: values.verify === true }),
      describe: ({ rows, blobs, ...it }) =>
        `Backed up ${plural(rows['artefacts'] ?? 0, 'artefact')} and ` +
        `${plural(blobs.count - it.lost.length, 'blob')} (${formatBytes(blobs.sizeBytes)}) to ${it.directory}: ` +
        `${blobs.copied} copied, ${blobs.removed} removed.`,
    });
    const { leftOut } = report.secrets;
    if (leftOut.length > 0)
      warn(
        NAME,
        `secrets that the environment sets are NOT in the backup: ${leftOut.join(', ')}. Keep them elsewhere: the ` +
          'restored instance needs the same values',
      );
    if (report.lost.length === 0) return;
    const count = plural(report.lost.length, 'blob');
    warn(NAME, `${count} could not be copied; upload the same files again:\n${formatDamagedBlobs(report.lost)}`);
    return 1;
  },
});
