// `berth remotes add, ls, show, set, remove`: which registries this one mirrors, and how that goes.

import { openAdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS, toAddress } from './client.ts';
import { defineCommand, UsageError } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { print } from './interruptible.ts';
import { findRemote, formatTime, givenRemoteKey, remotePath, type Remote, type RemoteResult } from './remote.ts';
import { formatTable } from './table.ts';

const NEVER = 'never';
const ABOUT_KEY = 'Its read key is that of BERTH_REMOTE_KEY, else what the standard input brings.';
const SCHEDULE_TEXT = `when to synchronise, a cron expression in UTC; ${NEVER}: only by hand`;

export const add = defineCommand({
  summary: 'mirror another registry',
  usage: 'remotes add ADDRESS --name NAME [--select PATTERN]… [--schedule CRON] [--url URL] [--json]',
  description:
    `Brings in the registry at ADDRESS, from which artefacts are mirrored. ${ABOUT_KEY} It is stored ` +
    `encrypted.\n\n${ABOUT_SESSION}`,
  options: {
    ...ADMIN_OPTIONS,
    name: { type: 'string' },
    select: { type: 'string', multiple: true },
    schedule: { type: 'string' },
  },
  optionTexts: {
    name: 'what to call it',
    select: 'which artefacts to mirror, as berth remotes select takes them; may be given again and again',
    schedule: `${SCHEDULE_TEXT}; default once a day`,
    ...ADMIN_TEXTS,
  },
  examples: {
    'berth remotes add https://staging.example.org --name staging --select "@acme/*@1" < key.txt':
      'with the read key in a file',
  },
  parameters: ['ADDRESS'],
  async run({ name, select = [], schedule, ...values }, address = '') {
    if (name === undefined) throw new UsageError('give it a name with --name');
    const api = openAdminApi(values);
    const apiKey = await givenRemoteKey();
    if (apiKey === undefined)
      throw new Error('give a read key of the remote registry in BERTH_REMOTE_KEY or on the standard input');
    const made = await api.ask<Remote>('POST', '/remote-registries', {
      url: toAddress(address),
      name,
      apiKey,
      selectedPatterns: select,
      ...scheduleField(schedule),
    });
    print(
      values.json
        ? JSON.stringify(made)
        : `${made.name} is ${made._id}. ${
            select.length === 0
              ? 'Choose what to mirror with berth ' + 'remotes select.'
              : `berth remotes sync ${made.name} fetches what is selected.`
          }`,
    );
  },
});

export const list = defineCommand({
  summary: 'list the registries that are mirrored',
  usage: 'remotes ls [--url URL] [--json]',
  description: `Lists remote registries, and how their last synchronisation ended.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth remotes ls': 'all of them' },
  async run(values) {
    const { results } = await openAdminApi(values).ask<{ results: Remote[] }>('GET', '/remote-registries');
    if (values.json) return print(JSON.stringify(results));
    print(
      results.length === 0
        ? 'No registry is mirrored.'
        : formatTable([['NAME', 'ADDRESS', 'ARTEFACTS', 'STATE', 'LAST', 'NEXT'], ...results.map(rowOf)]),
    );
  },
});

export const show = defineCommand({
  summary: 'show one, with the result for each artefact',
  usage: 'remotes show REMOTE [--url URL] [--json]',
  description:
    'Shows the remote registry with this name or address, and what became of each artefact at the ' +
    `last synchronisation.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth remotes show staging': 'what was fetched, what failed and why' },
  parameters: ['REMOTE'],
  async run(values, word = '') {
    const api = openAdminApi(values);
    // One that is asked for alone has all its results.
    const remote = await api.ask<Remote>('GET', remotePath(await findRemote(api, word)));
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
  summary: 'change its name, key or schedule',
  usage: 'remotes set REMOTE [--name NAME] [--schedule CRON] [--key] [--url URL] [--json]',
  description: `Changes what is given. With --key, it gets another key. ${ABOUT_KEY}\n\n${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, name: { type: 'string' }, schedule: { type: 'string' }, key: { type: 'boolean' } },
  optionTexts: { name: 'what to call it', schedule: SCHEDULE_TEXT, key: 'replace the key', ...ADMIN_TEXTS },
  examples: {
    'berth remotes set staging --schedule "30 3 * * *"': 'every night',
    'berth remotes set staging --key < key.txt': 'with a new key',
  },
  parameters: ['REMOTE'],
  async run({ name, schedule, key = false, ...values }, word = '') {
    if (name === undefined && schedule === undefined && !key) throw new UsageError('give --name, --schedule or --key');
    const api = openAdminApi(values);
    const apiKey = key ? await givenRemoteKey() : undefined;
    if (key && apiKey === undefined) throw new Error('give the key in BERTH_REMOTE_KEY or on the standard input');
    const changed = await api.ask<Remote>('PATCH', remotePath(await findRemote(api, word)), {
      name,
      apiKey,
      ...scheduleField(schedule),
    });
    print(values.json ? JSON.stringify(changed) : formatTable(fieldsOf(changed)));
  },
});

export const remove = defineCommand({
  summary: 'mirror a registry no more; what was mirrored stays',
  usage: 'remotes remove REMOTE [--url URL] [--json]',
  description:
    'Takes the remote registry out. Its mirrors become artefacts of this registry, with the bytes ' +
    `that they have.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth remotes remove staging': 'keep its artefacts, as they are' },
  parameters: ['REMOTE'],
  async run(values, word = '') {
    const api = openAdminApi(values);
    const remote = await findRemote(api, word);
    await api.ask('DELETE', remotePath(remote));
    print(
      values.json
        ? JSON.stringify({ id: remote._id })
        : `${remote._id} is mirrored no more; its artefacts are this registry's own now.`,
    );
  },
});

/** What became of each artefact, what went wrong first. */
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
      [reason ?? '-', ...(nextTryAt === undefined ? [] : [`(again at ${formatTime(nextTryAt)})`])].join(' '),
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
    ['schedule', schedule === null ? 'by hand' : `${schedule} (next at ${formatTime(nextSyncAt)})`],
    ['selected', [...selectedPatterns, ...selectedArtefacts].join(' ') || 'nothing'],
    ['state', `${stateOf(remote)}, ${plural(results.length, 'artefact')}, last at ${formatTime(lastSyncAt)}`],
    ...(lastSyncError === undefined ? [] : [['error', lastSyncError]]),
  ];
}
