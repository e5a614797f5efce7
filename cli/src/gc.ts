// `berth gc`: removes what nobody refers to.

import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { ABOUT_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';

export const gc = defineCommand({
  summary: 'remove bytes that no artefact has any more',
  usage: 'gc [--dry-run] [--json] [--quiet]',
  description: `Removes what no artefact has referred to for GC_GRACE_HOURS, and uploads whose process died. A server does so every hour by itself.

${ABOUT_SETTINGS}`,
  options: { ...OPERATION_OPTIONS, 'dry-run': { type: 'boolean' } },
  optionTexts: { 'dry-run': 'only tell what would go', ...OPERATION_TEXTS },
  examples: {
    'berth gc --dry-run': 'tell what a sweep would remove now',
    'GC_GRACE_HOURS=0 berth gc': 'make room at once',
  },
  async run(values) {
    await runOperation({
      name: 'gc',
      values,
      work: (server, { onProgress, signal }) =>
        server.sweep(process.env, {
          signal,
          dryRun: values['dry-run'] === true,
          onProgress: ({ phase, checkedBlobs, checkedObjects }) => {
            onProgress({ phase, done: phase === 'blobs' ? checkedBlobs : checkedObjects });
          },
        }),
      say: ({ dryRun, removedBlobs, removedObjects, endedUploads, freedBytes, digests = [] }) => {
        const counts =
          `${plural(removedBlobs, 'blob')}, ${plural(removedObjects, 'object')} that no row names ` +
          `and ${plural(endedUploads, 'dead upload')} (${formatBytes(freedBytes)})`;
        return dryRun
          ? [`Would remove ${counts}.`, ...digests.map((digest) => `  ${digest}`)].join('\n')
          : `Removed ${counts}.`;
      },
    });
  },
});
