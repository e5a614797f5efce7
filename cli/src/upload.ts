// `berth upload`: uploads a file artefact.

import { stat } from 'node:fs/promises';
import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { formatBytes } from './format.ts';
import { withUploadKey } from './pipeline.ts';
import { send } from './send.ts';

export const upload = defineCommand({
  summary: 'upload a file, such as a tileset',
  usage: 'upload FILE --id ID [--category CATEGORY] [--file-name NAME] [--url URL] [--json] [--quiet]',
  description: `Uploads FILE as the artefact ID, and replaces its previous content. An interrupted upload of 64 MiB
or more resumes when the command is run again within a day.

${ABOUT_REGISTRY}`,
  options: {
    ...CLIENT_OPTIONS,
    'id': { type: 'string' },
    'category': { type: 'string' },
    'file-name': { type: 'string' },
  },
  optionTexts: {
    'id': 'ID of the artefact',
    'category': 'tileset, maplibre-style or other; default: unchanged, or other for a new artefact',
    'file-name': 'file name of downloads; default: that of FILE',
    ...CLIENT_TEXTS,
  },
  examples: { 'berth upload france.pmtiles --id @acme/france --category tileset': 'publish a tileset' },
  parameters: ['FILE'],
  async run(values, path) {
    const { id } = values;
    if (id === undefined) throw new UsageError('missing option --id');
    const isFile = await stat(path).then(
      (it) => it.isFile(),
      () => false,
    );
    if (!isFile) throw new Error(`no such file: ${path}`);
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
      describe: (it) => `Uploaded ${it.id}: ${it.fileName ?? path}, ${formatBytes(it.size ?? 0)}, ${it.digest ?? ''}`,
    });
  },
});
