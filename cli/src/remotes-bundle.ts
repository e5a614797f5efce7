// `berth remotes export, import`: mirrors artefacts offline, through a bundle file.

import { defineCommand, UsageError } from './command.ts';
import { cleanKey, readKey } from './environment.ts';
import { formatBytes, plural } from './format.ts';
import { ABOUT_LIVE_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';
import { warn } from './terminal.ts';
import { ABOUT_PATTERNS } from './remote.ts';

const EXPORT = 'remotes export';
const IMPORT = 'remotes import';

export const exportCommand = defineCommand({
  summary: 'write artefacts to a bundle file',
  usage: `${EXPORT} FILE PATTERN… [--from URL] [--api-key KEY] [--json] [--quiet]`,
  description: `Writes the artefacts that match the patterns, with their content, digests and metadata, to FILE: a
bundle (a tar archive) that berth remotes import reads on another instance. ${ABOUT_PATTERNS}

Artefacts that cannot be exported are reported and skipped; the exit status is then 1.

With --from, the artefacts are downloaded from the registry at that URL, with the read key in --api-key or
BERTH_API_KEY. Without it, they are those of the local instance.

${ABOUT_LIVE_SETTINGS}`,
  options: { ...OPERATION_OPTIONS, 'from': { type: 'string' }, 'api-key': { type: 'string' } },
  optionTexts: {
    'from': 'address of a registry to export from',
    'api-key': 'read key of that registry',
    ...OPERATION_TEXTS,
  },
  examples: {
    'berth remotes export ship.tar "@acme/*@1" category:tileset': 'export from the instance in ./data',
    'berth remotes export ship.tar "**" --from https://registry.example.org':
      'export all artefacts that the read key may download',
  },
  parameters: ['FILE', 'PATTERN…'],
  async run(values, path, ...patterns) {
    if (values['api-key'] !== undefined && values.from === undefined)
      throw new UsageError('--api-key requires --from');
    const from =
      values.from === undefined
        ? undefined
        : { url: values.from, apiKey: cleanKey(values['api-key'], '--api-key') ?? readKey('BERTH_API_KEY') };
    const report = await runOperation({
      name: EXPORT,
      values,
      interruption: 'interrupted: FILE was not written; run the command again to begin anew',
      work: (server, hooks) => server.exportArtefacts(process.env, path, { ...hooks, patterns, from }),
      describe: (it) =>
        `Exported ${plural(it.artefacts, 'artefact')} of ${it.origin} (${formatBytes(it.sizeBytes)}) to ${it.path}.`,
    });
    if (isLocal(report.origin))
      warn(
        EXPORT,
        `the bundle names ${report.origin} as its registry, an address that every machine has: set PUBLIC_URL as ` +
          'for the server, and export again, or the other site cannot tell its registry from this one',
      );
    return warnAboutFailures(EXPORT, 'could not be exported', report.failed);
  },
});

export const importCommand = defineCommand({
  summary: 'mirror the artefacts of a bundle file',
  usage: `${IMPORT} FILE [--json] [--quiet]`,
  description: `Mirrors the artefacts in FILE as if they came over the network: every digest is verified, all slots
of an artefact are replaced at once, and content that already exists here is not copied again. A new mirror is
private until it is shared here. An interrupted import resumes when it is run again. Artefacts that cannot be
mirrored are reported and skipped; the exit status is then 1.

${ABOUT_LIVE_SETTINGS}`,
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
      describe: (it) =>
        `Mirrored ${plural(it.updated, 'artefact')} of ${it.origin} as of ${it.createdAt}; ${it.unchanged} unchanged.`,
    });
    return warnAboutFailures(IMPORT, 'could not be mirrored', report.problems);
  },
});

/** Whether a URL leads to the machine that uses it. */
function isLocal(url: string): boolean {
  return /^(localhost|127\..*|\[::1\])$/.test(new URL(url).hostname);
}

function warnAboutFailures(
  name: string,
  problem: string,
  failures: readonly { id: string; reason: string }[],
): 1 | undefined {
  if (failures.length === 0) return undefined;
  const lines = failures.map(({ id, reason }) => `\n  ${id}: ${reason}`);
  warn(name, `${plural(failures.length, 'artefact')} ${problem}:${lines.join('')}`);
  return 1;
}
