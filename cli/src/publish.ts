// `berth publish`: packs a plug-in and publishes it, in one step.

import { ABOUT_REGISTRY, CLIENT_OPTIONS, CLIENT_TEXTS, runClient } from './client.ts';
import { defineCommand } from './command.ts';
import { formatBytes } from './format.ts';
import { escapeValue, warn } from './terminal.ts';
import { pack } from './pack.ts';
import { artefactIdFor, chooseLine, findRef, parseRef } from './ref.ts';
import { withUploadKey } from './pipeline.ts';
import { send } from './send.ts';
import { describeWarnings } from './tarball-warnings.ts';

const NOARCH = 'noarch';
const APPLICATION = 'application';

export const publish = defineCommand({
  summary: 'pack and publish a plug-in',
  usage:
    'publish [DIRECTORY|TARBALL] [--bundle [--scripts]] [--root FOLDER] [--id ID | --ref REF] [--flat] ' +
    '[--line LINE] [--architecture ARCHITECTURE] [--category CATEGORY] [--dry-run] [--url URL] [--json] [--quiet]',
  description: `Packs DIRECTORY (default: the current one) with npm pack, or takes an existing TARBALL, and
publishes it.

The artefact is <name>@<major> on a tag, which must be that of the version in package.json: v1.2.3, 1.2.3 or
<name>@1.2.3. On a branch, it is <name>@<branch>. With --line minor, as for applications, a tag is
<name>@<major>.<minor>. Tag and branch are read from the environment of the CI (GitHub, GitLab), or from git. A
pipeline that is a trusted publisher needs no key.

${ABOUT_REGISTRY}`,
  options: {
    ...CLIENT_OPTIONS,
    'bundle': { type: 'boolean' },
    'scripts': { type: 'boolean' },
    'id': { type: 'string' },
    'ref': { type: 'string' },
    'flat': { type: 'boolean' },
    'line': { type: 'string' },
    'root': { type: 'string' },
    'architecture': { type: 'string' },
    'category': { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
  optionTexts: {
    'bundle': 'include the production dependencies, as locked, so that no install is needed',
    'scripts': 'with --bundle: run install scripts, which makes the tarball specific to this architecture',
    'id': 'ID of the artefact, instead of one derived from the ref',
    'ref': 'tag or branch, instead of that of the CI or git',
    'flat': 'use - instead of / and @ in the ID, as in @acme-import-gpkg-1',
    'line':
      'versions that share an artefact: major or minor; default: registry.line of package.json, else minor for an ' +
      'application and major for all others',
    'root': 'folder whose content is packed at the root, with an adapted package.json: the output of a build',
    'architecture': `slot to fill; default ${NOARCH}`,
    'category': 'category of the artefact; default: that of package.json, else unchanged',
    'dry-run': 'pack, and show what would be published',
    ...CLIENT_TEXTS,
  },
  examples: {
    'berth publish --bundle': 'in the folder of a plug-in, in a pipeline or by hand',
    'berth publish --root dist --category application': 'publish the build output of an application',
    'berth publish --ref main --dry-run': 'show what would be published for the branch main',
    'berth publish plugin.tgz --id @acme/import-gpkg@1 --architecture arm64': 'publish a tarball to the slot arm64',
  },
  parameters: ['[DIRECTORY|TARBALL]'],
  async run(values, source = '.') {
    const result = await runClient({
      name: 'publish',
      values,
      isOffline: values['dry-run'] === true,
      async work(registry, onProgress) {
        onProgress({ phase: 'packing', done: 0 });
        const { bundle = false, scripts = false, root } = values;
        await using packed = await pack({ source, bundle, scripts, root });
        const category = values.category ?? packed.category;
        const line = chooseLine(values.line, packed.line, category);
        const warnIfUnservable = (it: unknown) => {
          if (it === APPLICATION && !packed.hasIndexPage)
            warn(
              'publish',
              `an application needs an index.html at its root: pack its build output, as by --root dist`,
            );
        };
        const id =
          values.id ??
          artefactIdFor(
            packed,
            values.ref === undefined
              ? findRef({ env: process.env, directory: source.endsWith('.tgz') ? '.' : source }, packed)
              : parseRef(values.ref, packed),
            { isFlat: values.flat === true, line },
          );
        const architecture = values.architecture ?? NOARCH;
        const summary = { id, architecture, package: packed.name, version: packed.version };
        if (values['dry-run']) {
          warnIfUnservable(category);
          return { ...summary, size: packed.sizeBytes, isPublished: false };
        }
        const artefact = await send({
          registry: await withUploadKey(registry, id),
          artefactId: id,
          format: 'npm',
          file: packed.path,
          architecture: values.architecture,
          category: values.category,
          onProgress,
        });
        warnIfUnservable(artefact.category);
        const slot = artefact.tarballs?.[architecture];
        return {
          ...summary,
          digest: slot?.digest,
          size: slot?.size ?? packed.sizeBytes,
          dataUpdatedAt: artefact.dataUpdatedAt,
          isPublished: true,
          ...(slot?.warnings && { warnings: slot.warnings }),
        };
      },
      describe: (it) => {
        const verb = it.isPublished ? 'Published' : 'Would publish';
        const details = [`${it.package} ${it.version}`, formatBytes(it.size)];
        if ('digest' in it && it.digest) details.push(it.digest);
        return `${verb} ${it.id} ${it.architecture}: ${details.join(', ')}`;
      },
    });
    if ('warnings' in result) for (const warning of describeWarnings(result)) warn('publish', escapeValue(warning));
  },
});
