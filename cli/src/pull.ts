// `berth pull`: what a service does before it runs a plug-in, once.

import { resolve } from 'node:path';
import { ensureArtefact, ensureArtefactFile, getArtefact } from '@berth-registry/lib-node';
import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand, UsageError } from './command.ts';

export const pull = defineCommand({
  summary: 'fetch an artefact, unpacked, and keep it fresh',
  usage: 'pull ID [--dir DIRECTORY] [--architecture ARCHITECTURE] [--build] [--url URL] [--json] [--quiet]',
  description: `Brings an artefact into DIRECTORY, a cache as the client library keeps it, and prints where it is: an npm artefact unpacked, a file as it
is. What is there already and has not changed is not fetched again.\n\n${ABOUT_REGISTRY}`,
  options: {
    ...CLIENT_OPTIONS,
    dir: { type: 'string' },
    architecture: { type: 'string' },
    build: { type: 'boolean' },
  },
  optionTexts: {
    dir: 'the cache; default ./artefacts',
    architecture: 'slot to prefer to noarch; default that of this machine',
    build: 'build native modules for this Node',
    ...CLIENT_TEXTS,
  },
  examples: {
    'berth pull @acme/import-gpkg@1': 'into ./artefacts',
    'cd "$(berth pull @acme/import-gpkg@1 --quiet)"': 'and go there',
  },
  parameters: ['ID'],
  async run(values, id) {
    if (id === undefined) throw new UsageError('name ID');
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
      say: ({ path }) => path,
    });
  },
});
