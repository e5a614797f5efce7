// `berth pull`: downloads an artefact into a cache, as services do before they run a plug-in.

import { resolve } from 'node:path';
import { ensureArtefact, ensureArtefactFile, getArtefact } from '@berth-registry/lib-node';
import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand } from './command.ts';

export const pull = defineCommand({
  summary: 'download an artefact into a cache, or update it there',
  usage: 'pull ID [--dir DIRECTORY] [--architecture ARCHITECTURE] [--build] [--url URL] [--json] [--quiet]',
  description: `Downloads an artefact into DIRECTORY, a cache with the layout of the client library, and prints its
path. An npm artefact is unpacked. Nothing is downloaded if the cached copy is up to date.

${ABOUT_REGISTRY}`,
  options: {
    ...CLIENT_OPTIONS,
    dir: { type: 'string' },
    architecture: { type: 'string' },
    build: { type: 'boolean' },
  },
  optionTexts: {
    dir: 'directory of the cache; default ./artefacts',
    architecture: 'slot to prefer to noarch; default: that of this machine',
    build: 'build native modules for this Node',
    ...CLIENT_TEXTS,
  },
  examples: {
    'berth pull @acme/import-gpkg@1': 'into ./artefacts',
    'cd "$(berth pull @acme/import-gpkg@1 --quiet)"': 'and change to its directory',
  },
  parameters: ['ID'],
  async run(values, id) {
    const cacheDir = resolve(values.dir ?? 'artefacts');
    await runClient({
      name: 'pull',
      values,
      async work(registry, onProgress) {
        const options = {
          ...registry,
          artefactId: id,
          cacheDir,
          onProgress: (it: { phase: string; bytesDone: number; bytesTotal: number | undefined }) => {
            onProgress({ ...it, done: 0 });
          },
        };
        const { format } = await getArtefact({ ...registry, artefactId: id });
        if (format === 'file') return ensureArtefactFile(options);
        return ensureArtefact({ ...options, architecture: values.architecture, build: values.build });
      },
      describe: ({ path }) => path,
    });
  },
});
