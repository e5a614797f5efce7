// `berth keys`: API keys, for superadmins and admins of accounts.

import { parseAccount } from './account.ts';
import { openAdminApi } from './admin.ts';
import { ADMIN_OPTIONS, ADMIN_TEXTS, ABOUT_SESSION } from './client.ts';
import { defineCommand, defineGroup, UsageError } from './command.ts';
import { print } from './interruptible.ts';
import { formatScopes, SCOPE_OPTIONS, SCOPE_TEXTS, scopeFields } from './scopes.ts';
import { formatTable } from './table.ts';

interface Key {
  _id: string;
  type: string;
  name: string;
  shortId: string;
  key?: string;
  owner?: { id: string; name?: string; department?: string };
  expiresAt?: string;
  lastUsedAt?: string;
  previousUntil?: string;
  [scope: string]: unknown;
}

const create = defineCommand({
  summary: 'make a key, which is shown this one time',
  usage:
    'keys create NAME [--artefact ID] [--prefix PREFIX] [--package NAME] [--category CATEGORY] [--owner ACCOUNT] ' +
    '[--expires DATE] [--url URL] [--json]',
  description:
    'Makes an upload key, within the scopes that are given, or with --owner a read key of an account. ' +
    `The key alone goes to the standard output.\n\n${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, ...SCOPE_OPTIONS, owner: { type: 'string' }, expires: { type: 'string' } },
  optionTexts: {
    ...SCOPE_TEXTS,
    owner: 'account of a read key: organization:acme, organization:acme/geo or user:ID',
    expires: 'when it ends: 2027-12-31, or with a time',
    ...ADMIN_TEXTS,
  },
  examples: {
    'berth keys create "CI of gpkg" --package @acme/import-gpkg': 'for a pipeline',
    'berth keys create staging --owner organization:acme': 'for another registry, or a service',
  },
  parameters: ['NAME'],
  async run({ owner, expires, ...values }, name) {
    const body = {
      type: owner === undefined ? 'upload' : 'read',
      name,
      ...scopeFields(values),
      ...(owner !== undefined && { owner: parseAccount(owner) }),
      ...(expires !== undefined && { expiresAt: expires }),
    };
    const made = await openAdminApi(values).ask<Key>('POST', '/api-keys', body);
    print(values.json ? JSON.stringify(made) : (made.key ?? ''));
  },
});

const list = defineCommand({
  summary: 'list keys',
  usage: 'keys ls [--type upload|read] [--url URL] [--json]',
  description:
    'Lists keys, the newest first: all for a superadmin, else the read keys of the account that one ' +
    `acts for.\n\n${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, type: { type: 'string' } },
  optionTexts: { type: 'upload or read', ...ADMIN_TEXTS },
  examples: { 'berth keys ls --type upload': 'those of pipelines' },
  async run({ type, ...values }) {
    if (type !== undefined && type !== 'upload' && type !== 'read')
      throw new UsageError('--type takes upload or read');
    const { results } = await openAdminApi(values).ask<{ results: Key[] }>(
      'GET',
      `/api-keys${type === undefined ? '' : `?type=${type}`}`,
    );
    if (values.json) return print(JSON.stringify(results));
    print(
      results.length === 0
        ? 'There are no keys.'
        : formatTable([['ID', 'TYPE', 'NAME', 'BEGINS', 'MAY', 'ENDS', 'USED'], ...results.map(rowOf)]),
    );
  },
});

const revoke = defineCommand({
  summary: 'end a key, at once',
  usage: 'keys revoke ID [--url URL] [--json]',
  description: `Ends the key with this id, on all replicas at once.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth keys revoke 6f2b8c1e-…': 'an id that berth keys ls shows' },
  parameters: ['ID'],
  async run(values, id = '') {
    await openAdminApi(values).ask('DELETE', `/api-keys/${encodeURIComponent(id)}`);
    print(values.json ? JSON.stringify({ id }) : `${id} has ended.`);
  },
});

const rotate = defineCommand({
  summary: 'replace a key; the present one holds for a while',
  usage: 'keys rotate ID [--overlap SECONDS] [--expires DATE] [--url URL] [--json]',
  description:
    'Gives the key with this id another secret, which alone goes to the standard output. The present ' +
    `one holds for a day, or for --overlap seconds.\n\n${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, overlap: { type: 'string' }, expires: { type: 'string' } },
  optionTexts: {
    overlap: 'for how many seconds the present key holds; 0 ends it at once',
    expires: 'when the new key ends; never: it does not',
    ...ADMIN_TEXTS,
  },
  examples: { 'berth keys rotate 6f2b8c1e-… --overlap 3600': 'with an hour for pipelines to take over the new one' },
  parameters: ['ID'],
  async run({ overlap, expires, ...values }, id = '') {
    if (overlap !== undefined && !/^\d{1,8}$/.test(overlap))
      throw new UsageError('--overlap takes a number of seconds');
    const body = {
      ...(overlap !== undefined && { overlapSeconds: Number(overlap) }),
      ...(expires !== undefined && { expiresAt: expires === 'never' ? null : expires }),
    };
    const rotated = await openAdminApi(values).ask<Key>('POST', `/api-keys/${encodeURIComponent(id)}/rotate`, body);
    print(values.json ? JSON.stringify(rotated) : (rotated.key ?? ''));
  },
});

export const keys = defineGroup('keys', 'make, list, replace and end API keys', { create, ls: list, rotate, revoke });

function rowOf({ _id, type, name, shortId, owner, expiresAt, lastUsedAt, ...key }: Key): string[] {
  const may = owner
    ? `read for ${owner.name ?? owner.id}${owner.department ? `/${owner.department}` : ''}`
    : formatScopes(key);
  return [
    _id,
    type,
    name,
    shortId,
    may,
    expiresAt?.slice(0, 10) ?? 'never',
    lastUsedAt?.slice(0, 16).replace('T', ' ') ?? 'never',
  ];
}
