// `berth scrub`: integrity check of all blobs.

import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { formatDamagedBlobs } from './damaged-blobs.ts';
import { ABOUT_LIVE_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';
import { warn } from './terminal.ts';

const NAME = 'scrub';

export const scrub = defineCommand({
  summary: 'check the integrity of all stored content',
  usage: 'scrub [--json] [--quiet]',
  description: `Checks integrity: reads every blob and verifies its size and digest. Damaged and missing blobs are
reported with the artefacts that use them, and the exit status is 1; uploading the same files again repairs them.
An interrupted check resumes when it is run again.

${ABOUT_LIVE_SETTINGS}`,
  options: OPERATION_OPTIONS,
  optionTexts: OPERATION_TEXTS,
  examples: {
    'berth scrub': 'check the instance in ./data',
    'berth scrub --json | jq .missing': 'list missing blobs, for a script',
  },
  async run(values) {
    const { damaged, missing, damagedBlobs, missingBlobs } = await runOperation({
      name: NAME,
      values,
      work: (server, { onProgress, signal }) =>
        server.scrub(process.env, {
          signal,
          onProgress: ({ checkedBlobs, checkedBytes }) => {
            onProgress({ phase: `blobs (${formatBytes(checkedBytes)})`, done: checkedBlobs });
          },
        }),
      describe: ({ checkedBlobs, checkedBytes, ...it }) => {
        const counts = [`${it.damagedBlobs} damaged`, `${it.missingBlobs} missing`];
        if (it.recoveredBlobs > 0) counts.push(`${it.recoveredBlobs} recovered`);
        return `Checked ${plural(checkedBlobs, 'blob')} (${formatBytes(checkedBytes)}): ${counts.join(', ')}.`;
      },
    });
    if (damagedBlobs + missingBlobs === 0) return;
    warn(NAME, `upload the same files again:\n${formatDamagedBlobs([...damaged, ...missing])}`);
    return 1;
  },
});
