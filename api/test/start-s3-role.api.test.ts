// S3 without keys in the settings: the credentials of a role, from endpoints like those of container services and
// Kubernetes, on a real S3 server, which knows one key.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { ConfigError, createServer } from '../index.ts';
import { openS3Store } from '../src/blobs/drivers/s3.ts';
import { eventually } from './support/eventually.ts';
import { createTestS3, type TestS3 } from './support/s3.ts';
import { startTestServer } from './support/test-server.ts';

interface Key {
  id: string;
  secret: string;
}

const AUTHORIZATION = 'a container of the test';
const TOKEN = 'a token of the cluster';
const ROLE = 'arn:aws:iam::123456789012:role/berth';
/** Shorter than what the SDK keeps credentials for: it asks again with each request. */
const LIFETIME_MS = 240_000;

let directory: string;
let place: TestS3;
/** The settings of the place, without keys. */
let settings: Record<string, string>;
let known: Key;
let given: Key;
let endpoint: Server;
let url: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-role-'));
  place = await createTestS3();
  const { S3_ACCESS_KEY_ID: id = '', S3_SECRET_ACCESS_KEY: secret = '', ...rest } = place.env;
  [known, settings] = [{ id, secret }, rest];
  given = known;
  endpoint = createHttpServer((request, response) => {
    const expiration = new Date(Date.now() + LIFETIME_MS).toISOString();
    void text(request).then((body) => {
      if (request.method === 'GET' && request.headers.authorization === AUTHORIZATION)
        return response.end(
          JSON.stringify({ AccessKeyId: given.id, SecretAccessKey: given.secret, Token: 'x', Expiration: expiration }),
        );
      const form = new URLSearchParams(body);
      const isRole = form.get('Action') === 'AssumeRoleWithWebIdentity' && form.get('RoleArn') === ROLE;
      response.setHeader('content-type', 'text/xml');
      if (!isRole || form.get('WebIdentityToken') !== TOKEN)
        return response
          .writeHead(400)
          .end(
            '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>' +
              '<Message>The token is not known</Message></Error></ErrorResponse>',
          );
      return response.end(
        '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
          `<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${given.id}</AccessKeyId>` +
          `<SecretAccessKey>${given.secret}</SecretAccessKey><SessionToken>x</SessionToken>` +
          `<Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>` +
          '</AssumeRoleWithWebIdentityResponse>',
      );
    });
  });
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`;
});
after(async () => {
  endpoint.closeAllConnections();
  endpoint.close();
  await place.remove();
  await rm(directory, { recursive: true });
});

const environment = (variables: Record<string, string>) => {
  // Nothing beside what a test gives: no keys, no home of this machine, no metadata of the machine.
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, { HOME: directory, AWS_EC2_METADATA_DISABLED: 'true', ...variables });
};
const original = { ...process.env };
afterEach(() => {
  for (const name of Object.keys(process.env)) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, original);
  given = known;
});

const containerVariables = () => ({
  AWS_CONTAINER_CREDENTIALS_FULL_URI: url,
  AWS_CONTAINER_AUTHORIZATION_TOKEN: AUTHORIZATION,
});

async function identityVariables(token = TOKEN): Promise<Record<string, string>> {
  const file = join(directory, 'token');
  await writeFile(file, token);
  return { AWS_ENDPOINT_URL_STS: url, AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: ROLE };
}

/** Starts a server, and returns the message of the refusal. */
async function refusal(more: Record<string, string> = {}): Promise<string> {
  const started = createServer({
    env: { PORT: '0', DATA_DIR: join(directory, 'data'), LOG_LEVEL: 'silent', ...settings, ...more },
  });
  const error = await started.then(
    (server) => server.close(),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `expected a refusal, got ${String(error)}`);
  assert.match(error.message, /^[^\n]+\.$/);
  return error.message;
}

describe('a server without S3 keys in its settings', () => {
  for (const [source, variablesOf] of Object.entries({
    'container credentials': async () => Promise.resolve(containerVariables()),
    'a web identity token': identityVariables,
    'variables': async () =>
      Promise.resolve({ AWS_ACCESS_KEY_ID: known.id, AWS_SECRET_ACCESS_KEY: known.secret, AWS_SESSION_TOKEN: 'x' }),
  }))
    test(`stores, serves and links files with the credentials from ${source}`, async () => {
      environment(await variablesOf());
      const server = await startTestServer({ env: { ...settings, S3_REDIRECT: 'true', LOG_LEVEL: 'silent' } });
      try {
        const file = Buffer.from(source);
        assert.equal((await server.upload('stored', { format: 'file', file })).status, 201);
        const response = await fetch(`${server.url}/api/v1/artefacts/stored/download`, { headers: server.internal });
        assert.ok(response.redirected);
        assert.equal(await response.text(), source);
      } finally {
        await server.close();
      }
    });

  test('uses renewed credentials from then on', async () => {
    environment(containerVariables());
    const server = await startTestServer({ env: { ...settings, LOG_LEVEL: 'silent' } });
    const upload = () => server.upload('renewed', { format: 'file', file: Buffer.from('renewed') });
    const untilStatus = (expected: number) =>
      eventually(async () => {
        assert.equal((await upload()).status, expected);
      });
    try {
      await untilStatus(201);
      given = { id: 'nobody:nowhere', secret: 'other' };
      await untilStatus(503);
      given = known;
      await untilStatus(201);
    } finally {
      await server.close();
    }
  });
});

describe('a start without S3 keys is refused in one sentence', () => {
  const absence = (reason: string) =>
    `S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are not set, and the environment gives no credentials (${reason}): ` +
    'set both, or give this container, service account or machine a role.';

  test('if the environment gives none', async () => {
    environment({});
    assert.equal(await refusal(), absence('Could not load credentials from any providers'));
  });

  test('if the role is refused, or its token is missing', async () => {
    environment(await identityVariables('another token'));
    assert.equal(await refusal(), absence('The token is not known'));
    environment({ ...(await identityVariables()), AWS_WEB_IDENTITY_TOKEN_FILE: join(directory, 'missing') });
    assert.match(await refusal(), /environment gives no credentials \(ENOENT: no such file or directory, open /);
  });

  test('if the S3 server refuses what the environment gives', async () => {
    environment(containerVariables());
    given = { ...known, secret: 'other' };
    assert.equal(
      await refusal(),
      'S3_ACCESS_KEY_ID is not set, so the environment gives the access key, whose secret the S3 server refuses.',
    );
    given = { id: 'nobody:nowhere', secret: 'other' };
    assert.match(await refusal(), /^S3_ACCESS_KEY_ID is not set, so the environment gives the access key, wh[^,]+\.$/);
  });

  test('if only one of the two keys is set, whatever the environment gives', async () => {
    environment(containerVariables());
    for (const [name, other] of [
      ['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'],
      ['S3_SECRET_ACCESS_KEY', 'S3_ACCESS_KEY_ID'],
    ] as const)
      assert.equal(await refusal({ [name]: 'x' }), `${name} also requires ${other}, which is not set.`);
  });
});

test('credentials that do not come are given up, and wanted again by the next request', async () => {
  const [config, program, pid] = ['config', 'program', 'pid'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(program, `echo $$ > ${pid}\nexec sleep 3600\n`);
  await writeFile(config, `[default]\ncredential_process = sh ${program}\n`);
  environment({ AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: join(directory, 'none') });
  const store = await openS3Store({
    endpoint: settings['S3_ENDPOINT'] ?? '',
    region: 'us-east-1',
    bucket: settings['S3_BUCKET'] ?? '',
    root: place.root,
    forcePathStyle: true,
    checksums: 'WHEN_REQUIRED',
    timeouts: { credentialsMs: 200 },
  });
  for (let round = 0; round < 2; round++)
    await assert.rejects(store.check(), ({ code, cause }: { code: string; cause: Error }) => {
      assert.deepEqual([code, cause.message], ['storage_unavailable', 'no answer within 0.2 s']);
      return true;
    });
  await eventually(async () => process.kill(Number(await readFile(pid, 'utf8'))));
});
