// `berth publish`: what a pipeline does with a plug-in, in one step.

import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand } from './command.ts';
import { formatBytes } from './format.ts';
import { pack } from './pack.ts';
import { findRef, idOf, parseRef } from './ref.ts';
import { withUploadKey } from './pipeline.ts';
import { send } from './send.ts';

const NOARCH = 'noarch';

export const publish = defineCommand({
  summary: 'pack and publish a plug-in',
  usage:
    'publish [DIRECTORY or TARBALL] [--bundle] [--id ID | --ref REF] [--flat] [--architecture ARCHITECTURE] ' +
    '[--category CATEGORY] [--dry-run] [--url URL] [--json] [--quiet]',
  description: `Packs DIRECTORY (default: the present one) with npm pack, or takes a tarball that is packed already, and publishes it.

The artefact is <name>@<major> on a tag such as v1.2.3, which must be that of the version in package.json, and <name>@<branch>
otherwise. Tag and branch come from the CI (GitHub, GitLab), else from git. A pipeline that the registry trusts needs no key.\n\n${ABOUT_REGISTRY}`,
  options: {
    ...CLIENT_OPTIONS,
    'bundle': { type: 'boolean' },
    'scripts': { type: 'boolean' },
    'id': { type: 'string' },
    'ref': { type: 'string' },
    'flat': { type: 'boolean' },
    'architecture': { type: 'string' },
    'category': { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  optionTexts: {
    'bundle': 'put the production dependencies inside, as the lock file says, so that it runs without an install',
    'scripts': 'with --bundle: run install scripts, for a slot of this architecture',
    'id': 'of the artefact, whatever the ref',
    'ref': 'tag or branch, whatever CI and git say',
    'flat': 'with - in place of / and @, as in @acme-import-gpkg-1',
    'architecture': `slot to fill; default ${NOARCH}`,
    'category': 'default: what package.json says, or as it is',
    'dry-run': 'pack and say what would be published',
    ...CLIENT_TEXTS,
  },
  examples: {
    'berth publish --bundle': 'in the folder of a plug-in, in a pipeline or on a desk',
    'berth publish --ref main --dry-run': 'what would be published as the branch main',
    'berth publish plugin.tgz --id @acme/import-gpkg@1 --architecture arm64': 'a tarball into a slot',
  },
  parameters: ['[DIRECTORY or TARBALL]'],
  async run(values, source = '.') {
    await runClient({
      name: 'publish',
      values,
      isOffline: values['dry-run'] === true,
      async work(registry, onProgress) {
        onProgress({ phase: 'packing', done: 0 });
        await using packed = await pack({ source, bundle: values.bundle === true, scripts: values.scripts === true });
        const id =
          values.id ??
          idOf(
            packed,
            values.ref === undefined
              ? findRef({ env: process.env, directory: source.endsWith('.tgz') ? '.' : source })
              : parseRef(values.ref),
            values.flat === true,
          );
        const architecture = values.architecture ?? NOARCH;
        const facts = { id, architecture, package: packed.name, version: packed.version };
        if (values['dry-run']) return { ...facts, size: packed.sizeBytes, isPublished: false };
        const artefact = await send({
          registry: await withUploadKey(registry, id),
          artefactId: id,
          format: 'npm',
          file: packed.path,
          architecture: values.architecture,
          category: values.category,
          onProgress,
        });
        const slot = artefact.tarballs?.[architecture];
        return {
          ...facts,
          digest: slot?.digest,
          size: slot?.size ?? packed.sizeBytes,
          dataUpdatedAt: artefact.dataUpdatedAt,
          isPublished: true,
        };
      },
      say: (it) =>
        `${it.isPublished ? '' : 'Would publish '}${it.id} ${it.architecture}: ${it.package} ${it.version}, ${formatBytes(it.size)}${'digest' in it && it.digest ? `, ${it.digest}` : ''}`,
    });
  },
});
