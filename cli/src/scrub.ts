// `berth scrub`: reads every blob back.

import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { listUnsound } from './lost-blobs.ts';
import { ABOUT_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation, warn } from './operation.ts';

const NAME = 'scrub';

export const scrub = defineCommand({
  summary: 'read all bytes back and compare them with their digests',
  usage: 'scrub [--json] [--quiet]',
  description: `Reads every blob and compares size and digest. What is damaged or missing is named with the artefacts that it belongs to, and the
exit status is 1; uploading the same bytes again repairs it. One that was interrupted goes on where it was.

${ABOUT_SETTINGS}`,
  options: OPERATION_OPTIONS,
  optionTexts: OPERATION_TEXTS,
  examples: {
    'berth scrub': 'check the instance in ./data',
    'berth scrub --json | jq .missing': 'what is missing, for a script',
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
      say: ({ checkedBlobs, checkedBytes, ...it }) =>
        `Read ${plural(checkedBlobs, 'blob')} (${formatBytes(checkedBytes)}): ${it.damagedBlobs} damaged, ${it.missingBlobs} missing${
          it.recoveredBlobs > 0 ? `, ${it.recoveredBlobs} ` + 'sound again' : ''
        }.`,
    });
    if (damagedBlobs + missingBlobs === 0) return;
    warn(NAME, `upload these bytes again:\n${listUnsound([...damaged, ...missing])}`);
    return 1;
  },
});
