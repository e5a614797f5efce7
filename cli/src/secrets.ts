// `berth secrets`: what to do when the secrets of an instance are lost.

import { defineCommand, defineGroup } from './command.ts';
import { plural } from './format.ts';
import { ABOUT_SETTINGS, OPERATION_OPTIONS, OPERATION_TEXTS, runOperation } from './operation.ts';
import { warn } from './terminal.ts';

const NAME = 'secrets reset';

const reset = defineCommand({
  summary: 'adopt the present secrets, after the previous ones were lost',
  usage: `${NAME} [--confirm] [--json] [--quiet]`,
  description: `Makes an instance start again whose API_KEYS_SALT, CIPHER_PASSWORD or AUTH_SECRET is lost or was
changed, with the secrets that are set now; missing ones are generated with SQLite. Without --confirm, only reports
what would be lost, and the exit status is 1.

What depends on a lost secret is lost: with AUTH_SECRET, all sessions, password links and second factors; with
API_KEYS_SALT, all API keys, which stay listed, to be rotated or revoked; with CIPHER_PASSWORD, the keys of remote
registries, to be entered again. First look for the secrets in a backup (secrets.json), and stop all servers.

${ABOUT_SETTINGS}`,
  options: { ...OPERATION_OPTIONS, confirm: { type: 'boolean' } },
  optionTexts: { confirm: 'adopt the present secrets; this cannot be undone', ...OPERATION_TEXTS },
  examples: {
    'berth secrets reset': 'report what would be lost, in the instance in ./data',
    'DATA_DIR=/var/lib/berth berth secrets reset --confirm': 'adopt the present secrets, and generate missing ones',
  },
  async run(values) {
    const { adopted, lost } = await runOperation({
      name: NAME,
      values,
      work: (server) => server.resetSecrets(process.env, { confirm: values.confirm === true }),
      describe: (report) =>
        report.lost.length === 0
          ? 'Nothing is lost: the secrets are those that the data depends on.'
          : [
              `${report.adopted ? 'Adopted' : 'Would adopt'} the present ${report.lost.join(', ')}. Lost:`,
              ...losses(report).map((line) => `  ${line}`),
            ].join('\n'),
    });
    if (adopted || lost.length === 0) return;
    warn(NAME, 'nothing was changed: restore the previous secrets if you can, else run it again with --confirm');
    return 1;
  },
});

interface Losses {
  lost: string[];
  sessions: number;
  secondFactors: number;
  apiKeys: number;
  remoteRegistries: string[];
}

function losses({ lost, sessions, secondFactors, apiKeys, remoteRegistries }: Losses): string[] {
  return [
    ...(lost.includes('AUTH_SECRET')
      ? [
          `${plural(sessions, 'session')} and all password links: users sign in again`,
          `${plural(secondFactors, 'second factor')}: a password is then enough, until users add another`,
        ]
      : []),
    ...(lost.includes('API_KEYS_SALT') ? [`${plural(apiKeys, 'API key')}: rotate or revoke them`] : []),
    ...(lost.includes('CIPHER_PASSWORD')
      ? [
          `${plural(remoteRegistries.length, 'key')} of remote registries: enter them again` +
            (remoteRegistries.length > 0 ? ` (${remoteRegistries.join(', ')})` : ''),
        ]
      : []),
  ];
}

export const secrets = defineGroup('secrets', 'adopt new secrets after the previous ones were lost', { reset });
