// `berth ls`: lists artefacts.

import { listArtefacts, type Artefact } from '@berth-registry/lib-node';
import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { formatTable } from './table.ts';

const DEFAULT_SIZE = 50;
const MAX_SIZE = 1000;

export const ls = defineCommand({
  summary: 'list artefacts',
  usage:
    'ls [WORDS…] [--category CATEGORY] [--format npm|file] [--deprecated] [--size N] [--skip N] [--url URL] [--json]',
  description: `Lists the artefacts that you may see, newest first. WORDS are searched for in IDs, package names,
titles and descriptions.

${ABOUT_REGISTRY}`,
  options: {
    ...CLIENT_OPTIONS,
    category: { type: 'string' },
    format: { type: 'string' },
    deprecated: { type: 'boolean' },
    size: { type: 'string' },
    skip: { type: 'string' },
  },
  optionTexts: {
    category: 'only artefacts of this category',
    format: 'only this format, npm or file',
    deprecated: 'include deprecated artefacts',
    size: `number of results, at most ${MAX_SIZE}; default ${DEFAULT_SIZE}`,
    skip: 'number of results to skip',
    ...CLIENT_TEXTS,
  },
  examples: {
    'berth ls': 'the most recently updated artefacts',
    'berth ls geo import --category processing --json': 'for a script',
  },
  parameters: ['[WORDS…]'],
  async run(values, ...words) {
    const { format } = values;
    if (format !== undefined && format !== 'npm' && format !== 'file')
      throw new UsageError('--format must be npm or file');
    await runClient({
      name: 'ls',
      values,
      work: (registry) =>
        listArtefacts({
          ...registry,
          q: words.join(' ') || undefined,
          category: values.category,
          format,
          includeDeprecated: values.deprecated,
          size: parseCount('size', values.size) ?? DEFAULT_SIZE,
          skip: parseCount('skip', values.skip),
        }),
      describe: ({ results, count }) => {
        if (results.length === 0) return 'No artefacts found.';
        const table = formatTable([['ID', 'VERSION', 'CATEGORY', 'SLOTS', 'SIZE', 'UPDATED'], ...results.map(rowOf)]);
        return count > results.length
          ? `${table}\n${plural(count, 'artefact')} in total; use --skip and --size for more.`
          : table;
      },
    });
  },
});

function rowOf({ _id, version, category, tarballs, size, dataUpdatedAt }: Artefact): string[] {
  return [
    _id,
    version ?? '-',
    category ?? '-',
    tarballs ? Object.keys(tarballs).join(',') : 'file',
    size === undefined ? '-' : formatBytes(size),
    dataUpdatedAt?.slice(0, 16).replace('T', ' ') ?? '-',
  ];
}

function parseCount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} must be a whole number`);
  return Number(text);
}
