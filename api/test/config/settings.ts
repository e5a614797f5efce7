// Every setting with a valid value, and values that may go wrong.

import type { TSchema } from 'typebox';
import { ConfigSchema } from '../../src/config/schema.ts';
import { defaultOf, isSecret } from '../../src/config/schema-text.ts';

export interface Setting {
  name: string;
  isSecret: boolean;
  /** A valid value, as a text. */
  valid: string;
  /** Other settings that this one requires. */
  others: Record<string, string>;
}

/** Valid values of the settings that have neither a default nor an example. */
const VALID: Record<string, string> = {
  METRICS_PORT: '9090',
  S3_BUCKET: 'berth',
  S3_ACCESS_KEY_ID: 'access-key',
  OIDC_CLIENT_ID: 'berth',
  NODE_EXTRA_CA_CERTS: import.meta.filename,
  DATABASE_URL: 'postgres://berth:hush%23@127.0.0.1:1/berth',
};
/** What a setting requires besides. */
const OTHERS: Record<string, Record<string, string>> = { OIDC_ADMIN_VALUE: { OIDC_ADMIN_CLAIM: 'groups' } };
const OIDC = { OIDC_ISSUER: 'https://login.example.org', OIDC_CLIENT_ID: 'berth', OIDC_CLIENT_SECRET: 'a secret' };

export const SETTINGS: Setting[] = Object.entries(ConfigSchema.properties).map(([name, schema]) => {
  const { examples } = schema as TSchema & { examples?: string[] };
  const preset = defaultOf(schema) as string | number | boolean | string[] | undefined;
  const value = VALID[name] ?? preset?.toString() ?? examples?.[0] ?? 'hush-'.repeat(8);
  const others: Record<string, string> = { ...(name.startsWith('OIDC_') && OIDC), ...OTHERS[name] };
  return { name, isSecret: isSecret(schema), valid: value, others: { ...others, [name]: '' } };
});

/** Part of every text below, so that a message that shows a secret is found. */
export const MARK = 'hush';

/** Texts that environment variables, files and careless copying bring. */
export const TEXTS: Record<string, string> = {
  'nothing': '',
  'white space': ' \t ',
  'a line end': '\n',
  'a control character': `${MARK}\u0001${MARK}`,
  'a line break inside': `${MARK}\n${MARK}`,
  'a space before': ` ${MARK}`,
  'an absurd number': '9'.repeat(400),
  'a negative number': '-1',
  'words': `${MARK} is nonsense`,
  'a very long text': MARK.repeat(1000),
  'other letters': `${MARK}é😀`,
  'a broken escape': `${MARK}%zz`,
  'a star': '*',
  'a URL without a host': 'http://',
  'a URL with spaces': `http://${MARK} example.org`,
  'a URL with a wrong port': `https://${MARK}:99999`,
  'a URL with a broken escape': `http://%zz@${MARK}/%zz`,
  'another scheme': `file:///${MARK}`,
  'a directive': `'self'; script-src ${MARK}`,
};

/** Values of other types, as a YAML file may have them. */
export const VALUES: Record<string, unknown> = {
  'a number': 12_345_678,
  'a huge number': 1e300,
  'a fraction': 1.5,
  'true': true,
  'a list': [MARK, 1],
  'an empty list': [],
  'a list of texts': [`${MARK}\u0007`, ' '],
  'an object': { [MARK]: MARK },
  'a date': new Date(0).toISOString(),
};
