// `berth info`: shows one artefact.

import { getArtefact, type Artefact } from '@berth-registry/lib-node';
import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand } from './command.ts';
import { formatBytes } from './format.ts';
import { formatTable } from './table.ts';
import { describeWarnings } from './tarball-warnings.ts';

export const info = defineCommand({
  summary: 'show an artefact',
  usage: 'info ID [--url URL] [--json]',
  description: `Shows an artefact with its slots; --json prints its whole document.\n\n${ABOUT_REGISTRY}`,
  options: CLIENT_OPTIONS,
  optionTexts: CLIENT_TEXTS,
  examples: {
    'berth info @acme/import-gpkg@1': 'version, digest and slots',
    'berth info @acme/import-gpkg@1 --json': 'the whole document',
  },
  parameters: ['ID'],
  async run(values, id) {
    await runClient({
      name: 'info',
      values,
      work: (registry) => getArtefact({ ...registry, artefactId: id }),
      describe,
    });
  },
});

function describe(artefact: Artefact): string {
  const {
    _id,
    packageName,
    version,
    category,
    licence,
    title,
    description,
    tarballs,
    fileName,
    size,
    digest,
    origin,
  } = artefact;
  const visibility = artefact.public ? 'public' : 'private';
  const rows = Object.entries({
    'id': _id,
    'title': title?.en ?? title?.fr,
    'description': description?.en ?? description?.fr,
    'package': packageName,
    version,
    licence,
    category,
    'access': artefact.deprecated ? `${visibility}, deprecated` : visibility,
    'mirror of': origin,
    'file': fileName,
    'size': tarballs || size === undefined ? undefined : formatBytes(size),
    'digest': tarballs ? undefined : digest,
    'updated': artefact.dataUpdatedAt,
  }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  if (!tarballs) return formatTable(rows);
  const slots = Object.entries(tarballs).map(([architecture, slot]) => [
    architecture,
    slot.version ?? '-',
    slot.size === undefined ? '-' : formatBytes(slot.size),
    slot.uploadedAt?.slice(0, 16).replace('T', ' ') ?? '-',
    slot.digest ?? '-',
  ]);
  const warnings = Object.entries(tarballs).flatMap(([architecture, slot]) =>
    describeWarnings(slot).map((warning) => `\nwarning: ${architecture}: ${warning}`),
  );
  const table = formatTable([['SLOT', 'VERSION', 'SIZE', 'UPLOADED', 'DIGEST'], ...slots]);
  return `${formatTable(rows)}\n\n${table}${warnings.join('')}`;
}
