// `berth gc`: garbage collection.

import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { ABOUT_LIVE_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';

export const gc = defineCommand({
  summary: 'delete content that no artefact references',
  usage: 'gc [--dry-run] [--json] [--quiet]',
  description: `Collects garbage: deletes blobs that no artefact has referenced for GC_GRACE_HOURS, orphaned
objects in the storage, and uploads whose process died. The server does the same every hour.

${ABOUT_LIVE_SETTINGS}`,
  options: { ...OPERATION_OPTIONS, 'dry-run': { type: 'boolean' } },
  optionTexts: { 'dry-run': 'only report what would be deleted', ...OPERATION_TEXTS },
  examples: {
    'berth gc --dry-run': 'show what would be deleted now',
    'GC_GRACE_HOURS=0 berth gc': 'free space immediately',
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
      describe: ({ dryRun, removedBlobs, removedObjects, endedUploads, freedBytes, digests = [] }) => {
        const counts =
          `${plural(removedBlobs, 'blob')}, ${plural(removedObjects, 'orphaned object')} ` +
          `and ${plural(endedUploads, 'stale upload')} (${formatBytes(freedBytes)})`;
        return dryRun
          ? [`Would delete ${counts}.`, ...digests.map((digest) => `  ${digest}`)].join('\n')
          : `Deleted ${counts}.`;
      },
    });
  },
});
