// `berth upload`: one file, as it is.

import { stat } from 'node:fs/promises';
import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { formatBytes } from './format.ts';
import { withUploadKey } from './pipeline.ts';
import { send } from './send.ts';

export const upload = defineCommand({
  summary: 'upload a file, such as a tileset',
  usage: 'upload FILE --id ID [--category CATEGORY] [--file-name NAME] [--url URL] [--json] [--quiet]',
  description: `Uploads FILE as the artefact ID, in place of what it held before. An upload of 64 MiB or more that was cut off, or interrupted, goes on where
it stopped when the command is run again within a day.\n\n${ABOUT_REGISTRY}`,
  options: {
    ...CLIENT_OPTIONS,
    'id': { type: 'string' },
    'category': { type: 'string' },
    'file-name': { type: 'string' },
  },
  optionTexts: {
    'id': 'of the artefact',
    'category': 'tileset, maplibre-style or other; default: as it is, or other',
    'file-name': 'name that downloads carry; default that of FILE',
    ...CLIENT_TEXTS,
  },
  examples: { 'berth upload france.pmtiles --id @acme/france --category tileset': 'publish a tileset' },
  parameters: ['FILE'],
  async run(values, path) {
    const { id } = values;
    if (id === undefined || path === undefined) throw new UsageError('name the artefact with --id');
    const isFile = await stat(path).then(
      (it) => it.isFile(),
      () => false,
    );
    if (!isFile) throw new Error(`there is no file ${path}`);
    await runClient({
      name: 'upload',
      values,
      work: async (registry, onProgress) => {
        const artefact = await send({
          registry: await withUploadKey(registry, id),
          artefactId: id,
          format: 'file',
          file: path,
          category: values.category,
          fileName: values['file-name'],
          onProgress,
        });
        return {
          id: artefact._id,
          fileName: artefact.fileName,
          digest: artefact.digest,
          size: artefact.size,
          dataUpdatedAt: artefact.dataUpdatedAt,
        };
      },
      say: (it) => `${it.id} is ${it.fileName ?? path}, ${formatBytes(it.size ?? 0)}, ${it.digest ?? ''}`,
    });
  },
});
