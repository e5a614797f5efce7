// `berth grants`: manages which accounts may download.

import { formatAccount, parseAccount, type AccountText } from './account.ts';
import { openAdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS } from './client.ts';
import { defineCommand, defineGroup } from './command.ts';
import { print } from './terminal.ts';
import { formatTable } from './table.ts';

interface Grant {
  _id: string;
  account: AccountText & { name?: string };
  grantedAt: string;
}

const create = defineCommand({
  summary: 'allow an account to download',
  usage: 'grants create ACCOUNT [--url URL] [--json]',
  description: `Grants access to ACCOUNT: organization:acme, organization:acme/geo (one department) or user:ID.

${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth grants create organization:acme': 'all members of acme' },
  parameters: ['ACCOUNT'],
  async run(values, account = '') {
    const grant = await openAdminApi(values).request<Grant>('POST', '/access-grants', {
      account: parseAccount(account),
    });
    print(values.json ? JSON.stringify(grant) : grant._id);
  },
});

const list = defineCommand({
  summary: 'list access grants',
  usage: 'grants ls [--url URL] [--json]',
  description: `Lists access grants, newest first.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth grants ls': 'who may download' },
  async run(values) {
    const { results } = await openAdminApi(values).request<{ results: Grant[] }>('GET', '/access-grants?size=1000');
    if (values.json) return print(JSON.stringify(results));
    print(
      results.length === 0
        ? 'No access grants.'
        : formatTable([
            ['ID', 'ACCOUNT', 'NAME', 'GRANTED'],
            ...results.map((it) => [
              it._id,
              formatAccount(it.account),
              it.account.name ?? '-',
              it.grantedAt.slice(0, 10),
            ]),
          ]),
    );
  },
});

const revoke = defineCommand({
  summary: 'revoke a grant, immediately',
  usage: 'grants revoke ID [--url URL] [--json]',
  description: `Revokes the grant with this ID immediately.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth grants revoke 6f2b8c1e-…': 'an ID that berth grants ls shows' },
  parameters: ['ID'],
  async run(values, id = '') {
    await openAdminApi(values).request('DELETE', `/access-grants/${encodeURIComponent(id)}`);
    print(values.json ? JSON.stringify({ id }) : `Revoked ${id}.`);
  },
});

export const grants = defineGroup('grants', 'manage which accounts may download', { create, ls: list, revoke });
