import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configWarnings, readConfig } from '../../src/config/index.ts';
import { SETTINGS } from './settings.ts';

const warningsOf = (env: Record<string, string>) => configWarnings(env, readConfig(env));
const NAMES = SETTINGS.map(({ name }) => name);

describe('a start warns of a variable that is nearly a setting', () => {
  test('for every setting with a longer name, whatever single mistake is in it', () => {
    for (const name of NAMES.filter(({ length }) => length >= 7)) {
      const middle = Math.floor(name.length / 2);
      const [head, tail] = [name.slice(0, middle), name.slice(middle)];
      for (const mistake of [head + tail.slice(1), `${head}X${tail}`, `${head}~${tail.slice(1)}`, name.slice(0, -1)]) {
        const [warning = '', ...more] = warningsOf({ [mistake]: 'x' });
        assert.deepEqual(more, []);
        assert.match(warning, new RegExp(`^${mistake} is not a setting: did you mean [A-Z0-9_]+\\?$`));
      }
      assert.deepEqual(warningsOf({ [`MY_${name}`]: 'x' }), []);
    }
  });

  test('by its right name', () => {
    for (const [variable, name] of Object.entries({
      MAX_UPLOAD_BYTE: 'MAX_UPLOAD_BYTES',
      DATABASE_URI: 'DATABASE_URL',
      SECRET_INTERNAL_SERVICE: 'SECRET_INTERNAL_SERVICES',
      LOGLEVEL: 'LOG_LEVEL',
      AUTH_SECRETS_FILE: 'AUTH_SECRET_FILE',
      public_url: 'PUBLIC_URL',
    }))
      assert.deepEqual(warningsOf({ [variable]: 'x' }), [`${variable} is not a setting: did you mean ${name}?`]);
  });

  test('that names a file for a setting that is no secret', () => {
    assert.deepEqual(warningsOf({ S3_BUCKET_FILE: '/run/secrets/bucket' }), [
      'S3_BUCKET_FILE is ignored: only secrets can be given in files; set S3_BUCKET',
    ]);
  });

  test('but not of settings, nor of variables of other programs', () => {
    for (const { name, valid, others } of SETTINGS)
      assert.deepEqual(
        warningsOf({ ...others, [name]: valid }).filter((warning) => !warning.includes('has no effect')),
        [],
      );
    const others = 'PATH HOME HOSTNAME HOSTS USER SHELL TERM LANG PWD NODE_ENV NODE_OPTIONS TZ FTP_PROXY ALL_PROXY';
    const more = 'BERTH_CONFIG BERTH_COMMIT BERTH_DATE AWS_REGION AWS_ROLE_ARN KUBERNETES_PORT BERTH_SERVICE_HOST';
    const own = 'NODE_COMPILE_CACHE npm_config_cache INVOCATION_ID JOURNAL_STREAM STATE_DIRECTORY POSTGRES_PASSWORD';
    for (const name of [others, more, own]
      .flatMap((list) => list.split(' '))
      .filter((name) => name !== 'BERTH_CONFIG'))
      assert.deepEqual(warningsOf({ [name]: 'x' }), [], name);
  });
});

test('a start warns of settings that have no effect beside the others', () => {
  assert.deepEqual(warningsOf({ S3_BUCKET: 'berth', S3_ENDPOINT: 'https://s3.example.org' }), [
    'S3_ENDPOINT, S3_BUCKET have no effect: FILES_STORAGE is fs, not s3',
  ]);
  assert.deepEqual(warningsOf({ S3_BUCKET: 'berth', FILES_STORAGE: 's3', ACCEL_REDIRECT_PREFIX: '/internal/' }), [
    'ACCEL_REDIRECT_PREFIX has no effect: FILES_STORAGE is s3, not fs',
  ]);
  assert.deepEqual(warningsOf({ DIRECTORY_URL: 'https://example.org' }), [
    'DIRECTORY_URL has no effect: AUTH_MODE is local, not simple-directory',
  ]);
});
