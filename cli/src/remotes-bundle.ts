// `berth remotes export, import`: artefacts carried in a file to a Berth that no network leads to.

import { defineCommand, UsageError } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { ABOUT_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation, warn } from './operation.ts';

const EXPORT = 'remotes export';
const IMPORT = 'remotes import';

export const exportCommand = defineCommand({
  summary: 'write chosen artefacts into one file',
  usage: `${EXPORT} FILE PATTERN… [--from URL] [--api-key KEY] [--json] [--quiet]`,
  description: `Writes the artefacts that the patterns choose, with their bytes, digests and metadata, into FILE: a tar archive that berth remotes
import brings into another Berth. A pattern is an id in which * stands for anything but a slash, or category: and a category.
What cannot be taken along is named, the others are in FILE nevertheless, and the exit status is 1.

With --from, they come over the network from the registry at that URL, with a read key in --api-key or BERTH_API_KEY. Otherwise:
${ABOUT_SETTINGS}`,
  options: { ...OPERATION_OPTIONS, 'from': { type: 'string' }, 'api-key': { type: 'string' } },
  optionTexts: {
    'from': 'address of a registry to take them from',
    'api-key': 'read key of that registry',
    ...OPERATION_TEXTS,
  },
  examples: {
    'berth remotes export ship.tar "@acme/*@1" category:tileset':
      'take along what these patterns choose of the instance in ./data',
    'berth remotes export ship.tar "**" --from https://registry.example.org': 'all that a read key may download',
  },
  parameters: ['FILE', 'PATTERN…'],
  async run(values, path, ...patterns) {
    if (values['api-key'] !== undefined && values.from === undefined) throw new UsageError('--api-key needs --from');
    const from =
      values.from === undefined
        ? undefined
        : { url: values.from, apiKey: values['api-key'] ?? process.env['BERTH_API_KEY'] };
    const report = await runOperation({
      name: EXPORT,
      values,
      work: (server, hooks) => server.exportArtefacts(process.env, path, { ...hooks, patterns, from }),
      say: (it) =>
        `${it.path} has ${plural(it.artefacts, 'artefact')} of ${it.origin} (${formatBytes(it.sizeBytes)}).`,
    });
    return tell(EXPORT, 'could not be taken along', report.failed);
  },
});

export const importCommand = defineCommand({
  summary: 'mirror what such a file brings',
  usage: `${IMPORT} FILE [--json] [--quiet]`,
  description: `Mirrors the artefacts in FILE, as if they came over the network: every digest is checked, all slots of an artefact are swapped at
once, and what is here already is linked. Each is private until it is shared here. One that was interrupted is run again and
goes on. What cannot be mirrored is named, the others are, and the exit status is 1.

${ABOUT_SETTINGS}`,
  options: OPERATION_OPTIONS,
  optionTexts: OPERATION_TEXTS,
  examples: { 'berth remotes import /media/usb/ship.tar': 'into the instance in ./data' },
  parameters: ['FILE'],
  async run(values, path) {
    const report = await runOperation({
      name: IMPORT,
      values,
      work: (server, { onProgress, signal }) =>
        server.importArtefacts(process.env, path, {
          signal,
          onProgress: (progress) => {
            onProgress({ phase: 'artefacts', ...progress });
          },
        }),
      say: (it) =>
        `Mirrored ${plural(it.updated, 'artefact')} of ${it.origin} as of ${it.createdAt}; ${it.unchanged} had ` +
        'not changed.',
    });
    return tell(IMPORT, 'could not be mirrored', report.problems);
  },
});

function tell(name: string, what: string, failed: readonly { id: string; reason: string }[]): 1 | undefined {
  if (failed.length === 0) return undefined;
  warn(
    name,
    `${plural(failed.length, 'artefact')} ${what}:\n${failed.map(({ id, reason }) => `  ${id}: ${reason}`).join('\n')}`,
  );
  return 1;
}
