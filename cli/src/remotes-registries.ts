// `berth remotes add, ls, show, set, remove`: manages the registries that this one mirrors.

import { openAdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS, normaliseUrl } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { print } from './terminal.ts';
import { findRemote, formatTime, readRemoteKey, remotePath, type Remote, type RemoteResult } from './remote.ts';
import { formatTable } from './table.ts';

const NEVER = 'never';
const ABOUT_KEY = 'The read key is taken from BERTH_REMOTE_KEY or standard input.';
const SCHEDULE_TEXT = `when to synchronise: a cron expression in UTC, or ${NEVER}`;

export const add = defineCommand({
  summary: 'add a remote registry',
  usage: 'remotes add ADDRESS --name NAME [--select PATTERN]… [--schedule CRON] [--url URL] [--json]',
  description: `Adds the registry at ADDRESS as a remote, whose artefacts can be mirrored here. ${ABOUT_KEY} It is
stored encrypted.

${ABOUT_SESSION}`,
  options: {
    ...ADMIN_OPTIONS,
    name: { type: 'string' },
    select: { type: 'string', multiple: true },
    schedule: { type: 'string' },
  },
  optionTexts: {
    name: 'name of the remote registry',
    select: 'artefacts to mirror, as for berth remotes select; can be repeated',
    schedule: `${SCHEDULE_TEXT}; default: once a day`,
    ...ADMIN_TEXTS,
  },
  examples: {
    'berth remotes add https://staging.example.org --name staging --select "@acme/*@1" < key.txt':
      'with the read key in a file',
  },
  parameters: ['ADDRESS'],
  async run({ name, select = [], schedule, ...values }, address = '') {
    if (name === undefined) throw new UsageError('missing option --name');
    const api = openAdminApi(values);
    const apiKey = await readRemoteKey();
    if (apiKey === undefined) throw new Error('missing read key: set BERTH_REMOTE_KEY or pipe it to standard input');
    const remote = await api.request<Remote>('POST', '/remote-registries', {
      url: normaliseUrl(address),
      name,
      apiKey,
      selectedPatterns: select,
      ...scheduleField(schedule),
    });
    const next =
      select.length === 0
        ? `Select artefacts with berth remotes select ${remote.name}.`
        : `Fetch the selected artefacts with berth remotes sync ${remote.name}.`;
    print(values.json ? JSON.stringify(remote) : `Added ${remote.name} (${remote._id}). ${next}`);
  },
});

export const list = defineCommand({
  summary: 'list remote registries',
  usage: 'remotes ls [--url URL] [--json]',
  description: `Lists remote registries with the state of their last synchronisation.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth remotes ls': 'all remote registries' },
  async run(values) {
    const { results } = await openAdminApi(values).request<{ results: Remote[] }>('GET', '/remote-registries');
    if (values.json) return print(JSON.stringify(results));
    print(
      results.length === 0
        ? 'No remote registries.'
        : formatTable([['NAME', 'ADDRESS', 'ARTEFACTS', 'STATE', 'LAST SYNC', 'NEXT SYNC'], ...results.map(rowOf)]),
    );
  },
});

export const show = defineCommand({
  summary: 'show a remote registry, with the result for each artefact',
  usage: 'remotes show REMOTE [--url URL] [--json]',
  description: `Shows the remote registry with this name or address, and the result of its last synchronisation for
each artefact.

${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth remotes show staging': 'what was fetched, and what failed for which reason' },
  parameters: ['REMOTE'],
  async run(values, nameOrUrl = '') {
    const api = openAdminApi(values);
    // Only the document of a single remote registry has all results.
    const remote = await api.request<Remote>('GET', remotePath(await findRemote(api, nameOrUrl)));
    print(
      values.json
        ? JSON.stringify(remote)
        : [
            formatTable(fieldsOf(remote)),
            ...(remote.results.length === 0 ? [] : [formatResults(remote.results)]),
          ].join('\n\n'),
    );
  },
});

export const set = defineCommand({
  summary: 'change the name, key or schedule of a remote registry',
  usage: 'remotes set REMOTE [--name NAME] [--schedule CRON] [--key] [--url URL] [--json]',
  description: `Changes the given settings; --key replaces the key. ${ABOUT_KEY}\n\n${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, name: { type: 'string' }, schedule: { type: 'string' }, key: { type: 'boolean' } },
  optionTexts: { name: 'new name', schedule: SCHEDULE_TEXT, key: 'replace the key', ...ADMIN_TEXTS },
  examples: {
    'berth remotes set staging --schedule "30 3 * * *"': 'synchronise every night',
    'berth remotes set staging --key < key.txt': 'replace the key with the one in a file',
  },
  parameters: ['REMOTE'],
  async run({ name, schedule, key = false, ...values }, nameOrUrl = '') {
    if (name === undefined && schedule === undefined && !key)
      throw new UsageError('expected --name, --schedule or --key');
    const api = openAdminApi(values);
    const apiKey = key ? await readRemoteKey() : undefined;
    if (key && apiKey === undefined)
      throw new Error('missing read key: set BERTH_REMOTE_KEY or pipe it to standard input');
    const changed = await api.request<Remote>('PATCH', remotePath(await findRemote(api, nameOrUrl)), {
      name,
      apiKey,
      ...scheduleField(schedule),
    });
    print(values.json ? JSON.stringify(changed) : formatTable(fieldsOf(changed)));
  },
});

export const remove = defineCommand({
  summary: 'remove a remote registry; its mirrors stay',
  usage: 'remotes remove REMOTE [--url URL] [--json]',
  description: `Removes the remote registry. Its mirrors become artefacts of this registry and keep their content.

${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth remotes remove staging': 'stop mirroring, and keep the artefacts' },
  parameters: ['REMOTE'],
  async run(values, nameOrUrl = '') {
    const api = openAdminApi(values);
    const remote = await findRemote(api, nameOrUrl);
    await api.request('DELETE', remotePath(remote));
    print(
      values.json
        ? JSON.stringify({ id: remote._id })
        : `Removed ${remote._id}. Its mirrors are artefacts of this registry now.`,
    );
  },
});

/** Formats the result for each artefact, failures first. */
export function formatResults(results: readonly RemoteResult[]): string {
  const order = ['failed', 'gone', 'skipped', 'updated', 'pending', 'unchanged'];
  const sorted = results.toSorted(
    (a, b) => order.indexOf(a.status) - order.indexOf(b.status) || a.artefactId.localeCompare(b.artefactId),
  );
  return formatTable([
    ['ARTEFACT', 'STATUS', 'AT', 'FETCHED', 'REASON'],
    ...sorted.map(({ artefactId, status, at, bytes, reason, nextTryAt }) => [
      artefactId,
      status,
      formatTime(at),
      bytes === undefined ? '-' : formatBytes(bytes),
      [reason ?? '-', ...(nextTryAt === undefined ? [] : [`(next attempt at ${formatTime(nextTryAt)})`])].join(' '),
    ]),
  ]);
}

function scheduleField(schedule: string | undefined): { schedule?: string | null } {
  return schedule === undefined ? {} : { schedule: schedule === NEVER ? null : schedule };
}

function rowOf(remote: Remote): string[] {
  return [
    remote.name,
    remote._id,
    String(remote.results.length),
    stateOf(remote),
    formatTime(remote.lastSyncAt),
    formatTime(remote.nextSyncAt),
  ];
}

function stateOf({ syncState, lastSyncStatus }: Remote): string {
  return syncState === 'idle' ? (lastSyncStatus ?? 'new') : syncState;
}

function fieldsOf(remote: Remote): string[][] {
  const {
    _id,
    name,
    apiKeyShortId,
    schedule,
    nextSyncAt,
    selectedArtefacts,
    selectedPatterns,
    lastSyncAt,
    lastSyncError,
    results,
  } = remote;
  return [
    ['name', name],
    ['address', _id],
    ['key', apiKeyShortId === undefined ? 'none' : `${apiKeyShortId}…`],
    ['schedule', schedule === null ? 'none' : `${schedule} (next at ${formatTime(nextSyncAt)})`],
    ['selected', [...selectedPatterns, ...selectedArtefacts].join(' ') || 'nothing'],
    ['state', `${stateOf(remote)}, ${plural(results.length, 'artefact')}, last at ${formatTime(lastSyncAt)}`],
    ...(lastSyncError === undefined ? [] : [['error', lastSyncError]]),
  ];
}
