// `berth grants`: which accounts may download.

import { formatAccount, parseAccount, type AccountText } from './account.ts';
import { openAdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS } from './client.ts';
import { defineCommand, defineGroup } from './command.ts';
import { print } from './interruptible.ts';
import { formatTable } from './table.ts';

interface Grant {
  _id: string;
  account: AccountText & { name?: string };
  grantedAt: string;
}

const create = defineCommand({
  summary: 'let an account download',
  usage: 'grants create ACCOUNT [--url URL] [--json]',
  description:
    'Grants ACCOUNT access: organization:acme, organization:acme/geo (one department), or ' +
    `user:ID.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth grants create organization:acme': 'all of acme' },
  parameters: ['ACCOUNT'],
  async run(values, account = '') {
    const made = await openAdminApi(values).ask<Grant>('POST', '/access-grants', { account: parseAccount(account) });
    print(values.json ? JSON.stringify(made) : made._id);
  },
});

const list = defineCommand({
  summary: 'list access grants',
  usage: 'grants ls [--url URL] [--json]',
  description: `Lists access grants, the newest first.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth grants ls': 'who may download' },
  async run(values) {
    const { results } = await openAdminApi(values).ask<{ results: Grant[] }>('GET', '/access-grants?size=1000');
    if (values.json) return print(JSON.stringify(results));
    print(
      results.length === 0
        ? 'There are no grants.'
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
  summary: 'take a grant back; downloads end at once',
  usage: 'grants revoke ID [--url URL] [--json]',
  description: `Takes the grant with this id back.\n\n${ABOUT_SESSION}`,
  options: ADMIN_OPTIONS,
  optionTexts: ADMIN_TEXTS,
  examples: { 'berth grants revoke 6f2b8c1e-…': 'an id that berth grants ls shows' },
  parameters: ['ID'],
  async run(values, id = '') {
    await openAdminApi(values).ask('DELETE', `/access-grants/${encodeURIComponent(id)}`);
    print(values.json ? JSON.stringify({ id }) : `${id} is taken back.`);
  },
});

export const grants = defineGroup('grants', 'let accounts download, or not', { create, ls: list, revoke });
