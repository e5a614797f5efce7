// `berth info`: one artefact.

import { getArtefact, type Artefact } from '@berth-registry/lib-node';
import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { formatBytes } from './format.ts';
import { formatTable } from './table.ts';

export const info = defineCommand({
  summary: 'show an artefact',
  usage: 'info ID [--url URL] [--json]',
  description: `Shows what the registry says of an artefact; with --json its whole document.\n\n${ABOUT_REGISTRY}`,
  options: CLIENT_OPTIONS,
  optionTexts: CLIENT_TEXTS,
  examples: {
    'berth info @acme/import-gpkg@1': 'what is behind this ref now',
    'berth info @acme/import-gpkg@1 --json': 'the document',
  },
  parameters: ['ID'],
  async run(values, id) {
    if (id === undefined) throw new UsageError('name ID');
    await runClient({
      name: 'info',
      values,
      work: (registry) => getArtefact({ ...registry, artefactId: id }),
      say: describe,
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
  const isPublic = artefact.public ? 'public' : 'private';
  const facts = Object.entries({
    'id': _id,
    'title': title?.en ?? title?.fr,
    'description': description?.en ?? description?.fr,
    'package': packageName,
    version,
    licence,
    category,
    'access': artefact.deprecated ? `${isPublic}, deprecated` : isPublic,
    'mirror of': origin,
    'file': fileName,
    'size': tarballs || size === undefined ? undefined : formatBytes(size),
    'digest': tarballs ? undefined : digest,
    'updated': artefact.dataUpdatedAt,
  }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  if (!tarballs) return formatTable(facts);
  const slots = Object.entries(tarballs).map(([architecture, slot]) => [
    architecture,
    slot.version ?? '-',
    slot.size === undefined ? '-' : formatBytes(slot.size),
    slot.uploadedAt?.slice(0, 16).replace('T', ' ') ?? '-',
    slot.digest ?? '-',
  ]);
  return `${formatTable(facts)}\n\n${formatTable([['SLOT', 'VERSION', 'SIZE', 'UPLOADED', 'DIGEST'], ...slots])}`;
}
