// `berth keys`: manages API keys, for superadmins and admins of accounts.

import { parseAccount } from './account.ts';
import { openAdminApi } from './admin.ts';
import { ADMIN_OPTIONS, ADMIN_TEXTS, ABOUT_SESSION } from './client.ts';
import { defineCommand, defineGroup, UsageError } from './command.ts';
import { print } from './terminal.ts';
import { formatScopes, printWarnings, SCOPE_OPTIONS, SCOPE_TEXTS, scopeFields } from './scopes.ts';
import { formatTable } from './table.ts';

interface Key {
  _id: string;
  type: string;
  name: string;
  shortId: string;
  key?: string;
  warnings?: string[];
  owner?: { id: string; name?: string; department?: string };
  expiresAt?: string;
  lastUsedAt?: string;
  previousUntil?: string;
  [scope: string]: unknown;
}

const create = defineCommand({
  summary: 'create a key, which is shown only once',
  usage:
    'keys create NAME [--artefact ID] [--prefix PREFIX] [--package NAME] [--category CATEGORY] [--owner ACCOUNT] ' +
    '[--expires DATE] [--url URL] [--json]',
  description: `Creates an upload key that is limited to the given scopes, or with --owner a read key of an
account. Only the key is printed to standard output.

${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, ...SCOPE_OPTIONS, owner: { type: 'string' }, expires: { type: 'string' } },
  optionTexts: {
    ...SCOPE_TEXTS,
    owner: 'create a read key for organization:acme, organization:acme/geo or user:ID',
    expires: 'expiry date, such as 2027-12-31, or date and time',
    ...ADMIN_TEXTS,
  },
  examples: {
    'berth keys create "CI of gpkg" --package @acme/import-gpkg': 'for a pipeline',
    'berth keys create staging --owner organization:acme': 'for another registry or a service',
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
    const created = await openAdminApi(values).request<Key>('POST', '/api-keys', body);
    print(values.json ? JSON.stringify(created) : (created.key ?? ''));
    printWarnings('keys', created);
  },
});

const list = defineCommand({
  summary: 'list keys',
  usage: 'keys ls [--type upload|read] [--url URL] [--json]',
  description: `Lists keys, newest first: all of them for a superadmin, else the read keys of the account that the
session acts for.

${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, type: { type: 'string' } },
  optionTexts: { type: 'upload or read', ...ADMIN_TEXTS },
  examples: { 'berth keys ls --type upload': 'upload keys only' },
  async run({ type, ...values }) {
    if (type !== undefined && type !== 'upload' && type !== 'read')
      throw new UsageError('--type must be upload or read');
    const { results } = await openAdminApi(values).request<{ results: Key[] }>(
      'GET',
      `/api-keys${type === undefined ? '' : `?type=${type}`}`,
    );
    if (values.json) return print(JSON.stringify(results));
    print(
      results.length === 0
        ? 'No API keys.'
        : formatTable([['ID', 'TYPE', 'NAME', 'SHORT ID', 'SCOPE', 'EXPIRES', 'LAST USED'], ...results.map(rowOf)]),
    );
  },
});

const revoke = defineCommand({
  summary: 'revoke a key, immediately',
  usage: 'keys revoke ID [--url URL] [--json]',
  description: `Revokes the key with this ID immediately, on all replicas.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth keys revoke 6f2b8c1e-…': 'an ID that berth keys ls shows' },
  parameters: ['ID'],
  async run(values, id = '') {
    await openAdminApi(values).request('DELETE', `/api-keys/${encodeURIComponent(id)}`);
    print(values.json ? JSON.stringify({ id }) : `Revoked ${id}.`);
  },
});

const rotate = defineCommand({
  summary: 'replace a key; the old one stays valid for a while',
  usage: 'keys rotate ID [--overlap SECONDS] [--expires DATE] [--url URL] [--json]',
  description: `Replaces the secret of the key with this ID. Only the new key is printed to standard output. The
old one stays valid for a day, or for --overlap seconds.

${ABOUT_SESSION}`,
  options: { ...ADMIN_OPTIONS, overlap: { type: 'string' }, expires: { type: 'string' } },
  optionTexts: {
    overlap: 'seconds for which the old key stays valid; 0 revokes it immediately',
    expires: 'expiry date of the new key, or never',
    ...ADMIN_TEXTS,
  },
  examples: { 'berth keys rotate 6f2b8c1e-… --overlap 3600': 'give pipelines an hour to switch to the new key' },
  parameters: ['ID'],
  async run({ overlap, expires, ...values }, id = '') {
    if (overlap !== undefined && !/^\d{1,8}$/.test(overlap))
      throw new UsageError('--overlap must be a number of seconds');
    const body = {
      ...(overlap !== undefined && { overlapSeconds: Number(overlap) }),
      ...(expires !== undefined && { expiresAt: expires === 'never' ? null : expires }),
    };
    const rotated = await openAdminApi(values).request<Key>(
      'POST',
      `/api-keys/${encodeURIComponent(id)}/rotate`,
      body,
    );
    print(values.json ? JSON.stringify(rotated) : (rotated.key ?? ''));
  },
});

export const keys = defineGroup('keys', 'create, list, rotate and revoke API keys', {
  create,
  ls: list,
  rotate,
  revoke,
});

function rowOf({ _id, type, name, shortId, owner, expiresAt, lastUsedAt, ...key }: Key): string[] {
  const scope = owner
    ? `read for ${owner.name ?? owner.id}${owner.department ? `/${owner.department}` : ''}`
    : formatScopes(key);
  return [
    _id,
    type,
    name,
    shortId,
    scope,
    expiresAt?.slice(0, 10) ?? 'never',
    lastUsedAt?.slice(0, 16).replace('T', ' ') ?? 'never',
  ];
}
