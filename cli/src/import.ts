// `berth import`: uploads artefacts from a directory or another registry, each slot once.

import {
  migratePlugins,
  type MigrationReport,
  type MigrationResult,
  type RegistryOptions,
} from '@berth-registry/lib-node';
import { normaliseUrl } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { readKey, readSecret, readVariable } from './environment.ts';
import { plural } from './format.ts';
import { findPlugins, readGrants } from './import-directory.ts';
import { copiesFrom } from './import-registry.ts';
import { runInterruptibly } from './interruptible.ts';
import { escapeValues, print } from './terminal.ts';
import type { Progress } from './progress.ts';

export const importPlugins = defineCommand({
  summary: 'import artefacts from a directory or another registry',
  usage: 'import [DIRECTORY] [--from URL] [--url URL] [--json] [--quiet]',
  description: `Uploads the artefacts in DIRECTORY, or those that the registry at --from lists, with their
metadata. Slots that already have content are skipped, so the command can be run again after an interruption, and
at every start of a service. An artefact that fails does not stop the others; the exit status is then 1. Metadata
that the registry does not accept is left out and reported.

In DIRECTORY, a folder with a package.json is an installed plug-in, which is packed with everything in it; a .tgz
file is a tarball; any other file is a file artefact. Metadata of x or x.tgz is read from x.berth.json, if it
exists:

  { "artefactId", "architecture", "category",
    "title": { "en", "fr" }, "description", "group",
    "public", "privateAccess", "deprecated",
    "thumbnail": path of an image }

The default ID is <name>@<major> for a package, and the file name for a file. The file grants.json lists accounts
that may download:

  [{ "type": "organization", "id": "acme" }]

Requires the internal secret of the registry in BERTH_SECRET_KEY, and its address in --url or BERTH_URL. The read
key for --from is taken from BERTH_FROM_API_KEY.`,
  options: {
    from: { type: 'string' },
    url: { type: 'string' },
    json: { type: 'boolean' },
    quiet: { type: 'boolean' },
  },
  optionTexts: {
    from: 'address of a registry to copy from, instead of a directory',
    url: 'address of the registry to copy to, without /api/v1',
    json: 'print the report as JSON, whose fields are stable',
    quiet: 'show no progress',
  },
  examples: {
    'BERTH_SECRET_KEY=… berth import /data/plugins --url http://registry:8080':
      'upload the plug-ins that a service has installed',
    'BERTH_SECRET_KEY=… berth import --from https://old.example.org --url http://registry:8080':
      'copy the public artefacts of another registry',
  },
  parameters: ['[DIRECTORY]'],
  async run(values, directory) {
    if ((directory === undefined) === (values.from === undefined))
      throw new UsageError('expected either DIRECTORY or --from URL');
    const target = { registryUrl: resolveUrl(values.url), secretKey: requireSecret() };
    const report = await runInterruptibly({
      name: 'import',
      isQuiet: values.quiet === true,
      interruption: 'interrupted: run the command again to continue',
      work: ({ onProgress, signal }) =>
        directory === undefined
          ? copyAll({ ...target, signal }, normaliseUrl(values.from ?? ''), onProgress)
          : migratePlugins({
              ...target,
              signal,
              plugins: findPlugins(directory),
              grants: readGrants(directory),
              onResult: countArtefacts(onProgress),
            }),
    });
    print(values.json ? JSON.stringify(report) : describe(escapeValues(report)));
    return report.isComplete ? undefined : 1;
  },
});

function resolveUrl(url: string | undefined): string {
  const address = url ?? readVariable('BERTH_URL');
  if (!address) throw new UsageError('missing registry: set --url or BERTH_URL');
  return normaliseUrl(address, url === undefined ? 'BERTH_URL' : undefined);
}

function requireSecret(): string {
  const secret = readSecret('BERTH_SECRET_KEY');
  if (!secret) throw new Error('BERTH_SECRET_KEY is not set: it must hold the internal secret of the registry');
  return secret;
}

/** Copies slot by slot: at most one is on the local disk at a time. */
async function copyAll(
  target: RegistryOptions & { signal: AbortSignal },
  from: string,
  onProgress: (progress: Progress) => void,
): Promise<MigrationReport> {
  const results: MigrationResult[] = [];
  const count = countArtefacts(onProgress);
  for await (const copy of copiesFrom({
    registryUrl: from,
    apiKey: readKey('BERTH_FROM_API_KEY') || undefined,
    signal: target.signal,
  })) {
    const result =
      'reason' in copy
        ? { artefactId: copy.artefactId, status: 'failed' as const, metadata: [], reason: copy.reason }
        : (await migratePlugins({ ...target, plugins: [copy] })).results[0];
    if (!result) continue;
    results.push(result);
    count();
  }
  return { results, grants: [], isComplete: results.every(({ status }) => status !== 'failed') };
}

function countArtefacts(onProgress: (progress: Progress) => void): () => void {
  let done = 0;
  return () => {
    onProgress({ phase: 'artefacts', done: ++done });
  };
}

function describe({ results, grants }: MigrationReport): string {
  const count = (status: string) => results.filter((result) => result.status === status).length;
  const failed = [
    ...results
      .filter(({ status }) => status === 'failed')
      .map(({ artefactId, reason = '' }) => `  ${artefactId}: ${reason}`),
    ...grants
      .filter(({ status }) => status === 'failed')
      .map(({ account, reason = '' }) => `  grant to ${account.id}: ${reason}`),
  ];
  const granted =
    grants.length > 0
      ? ` ${plural(grants.filter(({ status }) => status !== 'failed').length, 'account')} may download.`
      : '';
  const dropped = results.flatMap(({ artefactId, dropped: fields = [] }) =>
    fields.map(({ field, reason }) => `  ${artefactId}: ${field}: ${reason}`),
  );
  return [
    `Uploaded ${plural(count('uploaded'), 'slot')}; ${count('present')} already present.${granted}`,
    ...(dropped.length > 0 ? ['Left out, since the registry does not accept it:', ...dropped] : []),
    ...(failed.length > 0 ? [`${failed.length} failed:`, ...failed] : []),
  ].join('\n');
}
