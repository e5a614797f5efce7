// `berth backup`: the whole instance into a folder.

import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { listUnsound } from './lost-blobs.ts';
import { ABOUT_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation, warn } from './operation.ts';

const NAME = 'backup';

export const backup = defineCommand({
  summary: 'copy everything into a folder, while the server runs',
  usage: 'backup DIR [--verify] [--json] [--quiet]',
  description: `Copies the database as it is at one moment, and all bytes that it refers to, into DIR. In a DIR that has a backup, only what is new
is copied, and the backup that is there stays whole until the new one is. One that was interrupted goes on. Bytes that are
missing or damaged are named, the others are copied nevertheless, and the exit status is 1.

${ABOUT_SETTINGS}`,
  options: { ...OPERATION_OPTIONS, verify: { type: 'boolean' } },
  optionTexts: { verify: 'read what DIR has already, and copy again what is damaged', ...OPERATION_TEXTS },
  examples: {
    'berth backup /srv/backup/berth': 'back up the instance in ./data',
    'DATA_DIR=/var/lib/berth berth backup /srv/backup/berth --quiet': 'the same from a timer, silent but for warnings',
  },
  parameters: ['DIR'],
  async run(values, directory) {
    const report = await runOperation({
      name: NAME,
      values,
      work: (server, hooks) => server.backup(process.env, directory, { ...hooks, verify: values.verify === true }),
      say: ({ rows, blobs, ...it }) =>
        `${it.directory} has ${plural(rows['artefacts'] ?? 0, 'artefact')} ` +
        `with ${plural(blobs.count - it.lost.length, 'blob')} ` +
        `(${formatBytes(blobs.sizeBytes)}); ${blobs.copied} copied now, ${blobs.removed} removed.`,
    });
    const { leftOut } = report.secrets;
    if (leftOut.length === 1)
      warn(
        NAME,
        `${leftOut[0]} is NOT in the backup, since the environment gives it: keep it elsewhere, since the ` +
          'instance needs the same one after a restore',
      );
    if (leftOut.length > 1)
      warn(
        NAME,
        `${leftOut.join(', ')} are NOT in the backup, since the environment gives them: keep them elsewhere, ` +
          'since the instance needs the same ones after a restore',
      );
    if (report.lost.length === 0) return;
    warn(
      NAME,
      `${plural(report.lost.length, 'blob')} could not be copied; upload the bytes ` +
        `again:\n${listUnsound(report.lost)}`,
    );
    return 1;
  },
});
