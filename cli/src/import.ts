// `berth import`: what an installation holds on its disk, or another registry has, brought into a registry once.

import {
  migratePlugins,
  type MigrationReport,
  type MigrationResult,
  type RegistryOptions,
} from '@berth-registry/lib-node';
import { toAddress } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { plural } from './format.ts';
import { grantsIn, pluginsIn } from './import-directory.ts';
import { copiesFrom } from './import-registry.ts';
import { print, runInterruptibly } from './interruptible.ts';
import type { Progress } from './progress.ts';

export const importPlugins = defineCommand({
  summary: 'bring in what a disk or another registry holds, once',
  usage: 'import [DIRECTORY] [--from URL] [--url URL] [--json] [--quiet]',
  description: `Uploads what lies in DIRECTORY, or what the registry at --from shows, with its metadata. Slots that have bytes already keep them, so it can be
run again after a cut, and at every start. One that fails does not stop the rest; the exit status is 1 then.

In DIRECTORY, a folder with a package.json is an installed plug-in, and is packed with all that is in it; a .tgz file is a tarball; any
other file is a file artefact. Beside x or x.tgz, x.berth.json may say more of it: { "artefactId", "category", "title": { "en", "fr" }, "description",
"group", "public", "privateAccess", "deprecated", "thumbnail" (a path), "architecture" }. Without an id there, that of a package is <name>@<major>, that of a file its name. grants.json lists accounts that
may download: [{ "type": "organization", "id": "acme" }].

It needs the internal secret of the registry, in BERTH_SECRET_KEY, and the registry's address in --url or BERTH_URL; the read key for --from in BERTH_FROM_API_KEY.`,
  options: {
    from: { type: 'string' },
    url: { type: 'string' },
    json: { type: 'boolean' },
    quiet: { type: 'boolean' },
  },
  optionTexts: {
    from: 'address of a registry to copy from, in place of a directory',
    url: 'address of the registry to copy to, without /api/v1',
    json: 'print the report as JSON, for scripts; its fields stay',
    quiet: 'show no progress',
  },
  examples: {
    'BERTH_SECRET_KEY=… berth import /data/plugins --url http://registry:8080': 'what a service has installed',
    'BERTH_SECRET_KEY=… berth import --from https://old.example.org --url http://registry:8080':
      'what another registry shows to anybody',
  },
  parameters: ['[DIRECTORY]'],
  async run(values, directory) {
    if ((directory === undefined) === (values.from === undefined))
      throw new UsageError('name a directory, or a registry with --from');
    const target = { registryUrl: addressOf(values.url), secretKey: secretOf(process.env) };
    const report = await runInterruptibly({
      name: 'import',
      isQuiet: values.quiet === true,
      interruption: 'interrupted; run it again, and it goes on',
      work: ({ onProgress, signal }) =>
        directory === undefined
          ? copyAll({ ...target, signal }, toAddress(values.from ?? ''), onProgress)
          : migratePlugins({
              ...target,
              signal,
              plugins: pluginsIn(directory),
              grants: grantsIn(directory),
              onResult: counting(onProgress),
            }),
    });
    print(values.json ? JSON.stringify(report) : say(report));
    return report.isComplete ? undefined : 1;
  },
});

function addressOf(url: string | undefined): string {
  const given = url ?? process.env['BERTH_URL'];
  if (!given) throw new UsageError('name the registry with --url or BERTH_URL');
  return toAddress(given);
}

function secretOf({ BERTH_SECRET_KEY: secret }: NodeJS.ProcessEnv): string {
  if (!secret) throw new Error('give the internal secret of the registry in BERTH_SECRET_KEY');
  return secret;
}

/** Copies slot by slot, so that no more than one lies on this disk. */
async function copyAll(
  target: RegistryOptions & { signal: AbortSignal },
  from: string,
  onProgress: (progress: Progress) => void,
): Promise<MigrationReport> {
  const results: MigrationResult[] = [];
  const count = counting(onProgress);
  for await (const copy of copiesFrom({
    registryUrl: from,
    apiKey: process.env['BERTH_FROM_API_KEY'],
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

function counting(onProgress: (progress: Progress) => void): () => void {
  let done = 0;
  return () => {
    onProgress({ phase: 'artefacts', done: ++done });
  };
}

function say({ results, grants }: MigrationReport): string {
  const of = (status: string) => results.filter((result) => result.status === status).length;
  const failed = [
    ...results
      .filter(({ status }) => status === 'failed')
      .map(({ artefactId, reason = '' }) => `  ${artefactId}: ${reason}`),
    ...grants
      .filter(({ status }) => status === 'failed')
      .map(({ account, reason = '' }) => `  access of ${account.id}: ${reason}`),
  ];
  const granted =
    grants.length > 0
      ? ` ${plural(grants.filter(({ status }) => status !== 'failed').length, 'account')} may download.`
      : '';
  return [
    `Uploaded ${plural(of('uploaded'), 'slot')}; ${of('present')} were there already.${granted}`,
    ...(failed.length > 0 ? [`${failed.length} failed:`, ...failed] : []),
  ].join('\n');
}
