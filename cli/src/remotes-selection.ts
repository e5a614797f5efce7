// `berth remotes artefacts, select, unselect`: manages which artefacts of a remote registry are mirrored.

import { openAdminApi, type AdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS } from './client.ts';
import { defineCommand } from './command.ts';
import { plural } from './format.ts';
import { print } from './terminal.ts';
import { ABOUT_PATTERNS, findRemote, formatTime, isPattern, remotePath, type Remote } from './remote.ts';
import { formatTable } from './table.ts';

interface RemoteArtefact {
  _id: string;
  category?: string;
  version?: string;
  dataUpdatedAt?: string;
  local: { synced: boolean; upToDate: boolean; selected: boolean };
}

const PAGE_SIZE = 100;

export const artefacts = defineCommand({
  summary: 'list the artefacts of a remote registry',
  usage: 'remotes artefacts REMOTE [WORDS…] [--category CATEGORY] [--url URL] [--json]',
  description: `Lists the artefacts that the key of the remote registry gives access to, and their state here. The
remote registry searches for WORDS.

${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, category: { type: 'string' } },
  optionTexts: { category: 'only artefacts of this category', ...ADMIN_TEXTS },
  examples: { 'berth remotes artefacts staging geo': 'find artefacts to select' },
  parameters: ['REMOTE', '[WORDS…]'],
  async run({ category, ...values }, nameOrUrl = '', ...words) {
    const api = openAdminApi(values);
    const remote = await findRemote(api, nameOrUrl);
    const query = new URLSearchParams({
      size: String(PAGE_SIZE),
      ...(words.length > 0 && { q: words.join(' ') }),
      ...(category !== undefined && { category }),
    });
    const list = await api.request<{ results: RemoteArtefact[]; count: number }>(
      'GET',
      `${remotePath(remote, 'remote-artefacts')}?${query.toString()}`,
    );
    if (values.json) return print(JSON.stringify(list));
    if (list.results.length === 0) return print('No artefacts found.');
    const table = formatTable([['ID', 'VERSION', 'CATEGORY', 'UPDATED', 'HERE'], ...list.results.map(rowOf)]);
    print(
      list.count > list.results.length
        ? `${table}\n${plural(list.count, 'artefact')} in total; use WORDS to find others.`
        : table,
    );
  },
});

export const select = defineCommand({
  summary: 'select artefacts to mirror, by ID or pattern',
  usage: 'remotes select REMOTE PATTERN… [--url URL] [--json]',
  description: `Selects artefacts to mirror. Those with one of these IDs are mirrored immediately; those that match
a pattern, now or later, from the next synchronisation on. ${ABOUT_PATTERNS}

${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: {
    'berth remotes select staging @acme/import-gpkg@1 "@acme/*@2" category:tileset':
      'select one artefact and two patterns',
  },
  parameters: ['REMOTE', 'PATTERN…'],
  async run(values, nameOrUrl = '', ...selectors) {
    const { api, remote, ids, patterns } = await resolveSelectors(values, nameOrUrl, selectors);
    if (patterns.length > 0)
      await api.request('PATCH', remotePath(remote), {
        selectedPatterns: [...new Set([...remote.selectedPatterns, ...patterns])],
      });
    for (const artefactId of ids) {
      if (!remote.selectedArtefacts.includes(artefactId))
        await api.request('POST', remotePath(remote, 'selected-artefacts'), { artefactId });
    }
    await printSelection(api, remote, values.json === true);
  },
});

export const unselect = defineCommand({
  summary: 'stop mirroring artefacts; their mirrors stay',
  usage: 'remotes unselect REMOTE PATTERN… [--url URL] [--json]',
  description: `Removes IDs and patterns from the selection, exactly as they were selected. Mirrors that are no
longer selected become artefacts of this registry.

${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth remotes unselect staging "@acme/*@2"': 'remove a pattern, as berth remotes show lists it' },
  parameters: ['REMOTE', 'PATTERN…'],
  async run(values, nameOrUrl = '', ...selectors) {
    const { api, remote, ids, patterns } = await resolveSelectors(values, nameOrUrl, selectors);
    const unknown = patterns.find((pattern) => !remote.selectedPatterns.includes(pattern));
    if (unknown !== undefined)
      throw new Error(`${unknown} is not selected: berth remotes show ${remote.name} lists the selection`);
    if (patterns.length > 0)
      await api.request('PATCH', remotePath(remote), {
        selectedPatterns: remote.selectedPatterns.filter((pattern) => !patterns.includes(pattern)),
      });
    for (const artefactId of ids) await api.request('DELETE', remotePath(remote, 'selected-artefacts', artefactId));
    await printSelection(api, remote, values.json === true);
  },
});

/** Finds the remote registry and separates IDs, which have a route each, from patterns, which are one field. */
async function resolveSelectors(
  values: Parameters<typeof openAdminApi>[0],
  nameOrUrl: string,
  selectors: string[],
): Promise<{ api: AdminApi; remote: Remote; ids: string[]; patterns: string[] }> {
  const api = openAdminApi(values);
  return {
    api,
    remote: await findRemote(api, nameOrUrl),
    ids: selectors.filter((it) => !isPattern(it)),
    patterns: selectors.filter(isPattern),
  };
}

async function printSelection(api: AdminApi, remote: Remote, asJson: boolean): Promise<void> {
  const { selectedArtefacts, selectedPatterns, name } = await api.request<Remote>('GET', remotePath(remote));
  print(
    asJson
      ? JSON.stringify({ selectedArtefacts, selectedPatterns })
      : `Selected from ${name}: ${[...selectedPatterns, ...selectedArtefacts].join(' ') || 'nothing'}`,
  );
}

function rowOf({ _id, version, category, dataUpdatedAt, local }: RemoteArtefact): string[] {
  return [
    _id,
    version ?? '-',
    category ?? '-',
    formatTime(dataUpdatedAt),
    local.synced ? (local.upToDate ? 'up to date' : 'outdated') : local.selected ? 'selected' : '-',
  ];
}
