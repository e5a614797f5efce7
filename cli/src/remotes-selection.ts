// `berth remotes artefacts, select, unselect`: what a remote registry has, and what of it is mirrored.

import { openAdminApi, type AdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS } from './client.ts';
import { defineCommand } from './command.ts';
import { plural } from './format.ts';
import { print } from './interruptible.ts';
import { findRemote, formatTime, isPattern, remotePath, type Remote } from './remote.ts';
import { formatTable } from './table.ts';

interface RemoteArtefact {
  _id: string;
  category?: string;
  version?: string;
  dataUpdatedAt?: string;
  local: { synced: boolean; upToDate: boolean; selected: boolean };
}

const PAGE = 100;
const ABOUT_PATTERNS =
  'A pattern is an id in which * stands for anything but a slash and ** for anything, or category: and a category.';

export const artefacts = defineCommand({
  summary: 'list what a registry has, and what of it is here',
  usage: 'remotes artefacts REMOTE [WORDS…] [--category CATEGORY] [--url URL] [--json]',
  description:
    'Asks the remote registry for the artefacts that its key shows; WORDS are looked for ' +
    `there.\n\n${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, category: { type: 'string' } },
  optionTexts: { category: 'only those of a category', ...ADMIN_TEXTS },
  examples: { 'berth remotes artefacts staging geo': 'what there is to choose from' },
  parameters: ['REMOTE', '[WORDS…]'],
  async run({ category, ...values }, word = '', ...words) {
    const api = openAdminApi(values);
    const remote = await findRemote(api, word);
    const query = new URLSearchParams({
      size: String(PAGE),
      ...(words.length > 0 && { q: words.join(' ') }),
      ...(category !== undefined && { category }),
    });
    const answer = await api.ask<{ results: RemoteArtefact[]; count: number }>(
      'GET',
      `${remotePath(remote, 'remote-artefacts')}?${query.toString()}`,
    );
    if (values.json) return print(JSON.stringify(answer));
    if (answer.results.length === 0) return print('Nothing is found.');
    const table = formatTable([['ID', 'VERSION', 'CATEGORY', 'UPDATED', 'HERE'], ...answer.results.map(rowOf)]);
    print(
      answer.count > answer.results.length
        ? `${table}\n${plural(answer.count, 'artefact')} in all; name words to find others.`
        : table,
    );
  },
});

export const select = defineCommand({
  summary: 'mirror artefacts, or all that a pattern finds',
  usage: 'remotes select REMOTE PATTERN… [--url URL] [--json]',
  description:
    'Mirrors the artefacts with these ids at once, and whatever the patterns find, now and later, ' +
    `from the next synchronisation on.\n${ABOUT_PATTERNS}\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: {
    'berth remotes select staging @acme/import-gpkg@1 "@acme/*@2" category:tileset': 'one artefact and two patterns',
  },
  parameters: ['REMOTE', 'PATTERN…'],
  async run(values, word = '', ...chosen) {
    const { api, remote, ids, patterns } = await sort(values, word, chosen);
    if (patterns.length > 0)
      await api.ask('PATCH', remotePath(remote), {
        selectedPatterns: [...new Set([...remote.selectedPatterns, ...patterns])],
      });
    for (const artefactId of ids) {
      if (!remote.selectedArtefacts.includes(artefactId))
        await api.ask('POST', remotePath(remote, 'selected-artefacts'), { artefactId });
    }
    await tell(api, remote, values.json === true);
  },
});

export const unselect = defineCommand({
  summary: 'mirror artefacts no more; what was mirrored stays',
  usage: 'remotes unselect REMOTE PATTERN… [--url URL] [--json]',
  description:
    'Takes ids and patterns back, as they were selected. What is mirrored no more becomes an artefact ' +
    `of this registry.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth remotes unselect staging "@acme/*@2"': 'a pattern, as berth remotes show lists it' },
  parameters: ['REMOTE', 'PATTERN…'],
  async run(values, word = '', ...chosen) {
    const { api, remote, ids, patterns } = await sort(values, word, chosen);
    const unknown = patterns.find((pattern) => !remote.selectedPatterns.includes(pattern));
    if (unknown !== undefined)
      throw new Error(`${unknown} is not selected: berth remotes show ${remote.name} lists what is`);
    if (patterns.length > 0)
      await api.ask('PATCH', remotePath(remote), {
        selectedPatterns: remote.selectedPatterns.filter((pattern) => !patterns.includes(pattern)),
      });
    for (const artefactId of ids) await api.ask('DELETE', remotePath(remote, 'selected-artefacts', artefactId));
    await tell(api, remote, values.json === true);
  },
});

/** Ids are chosen one by one, patterns all together. */
async function sort(
  values: Parameters<typeof openAdminApi>[0],
  word: string,
  chosen: string[],
): Promise<{ api: AdminApi; remote: Remote; ids: string[]; patterns: string[] }> {
  const api = openAdminApi(values);
  return {
    api,
    remote: await findRemote(api, word),
    ids: chosen.filter((it) => !isPattern(it)),
    patterns: chosen.filter(isPattern),
  };
}

async function tell(api: AdminApi, remote: Remote, asJson: boolean): Promise<void> {
  const { selectedArtefacts, selectedPatterns, name } = await api.ask<Remote>('GET', remotePath(remote));
  print(
    asJson
      ? JSON.stringify({ selectedArtefacts, selectedPatterns })
      : `Of ${name} is selected: ${[...selectedPatterns, ...selectedArtefacts].join(' ') || 'nothing'}`,
  );
}

function rowOf({ _id, version, category, dataUpdatedAt, local }: RemoteArtefact): string[] {
  return [
    _id,
    version ?? '-',
    category ?? '-',
    formatTime(dataUpdatedAt),
    local.synced ? (local.upToDate ? 'as it is there' : 'older') : local.selected ? 'selected' : '-',
  ];
}
