import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { freePort } from '../support/free-port.ts';
import { startTestProvider, type TestProvider } from '../support/openid-provider.ts';
import { githubJob, gitlabJob, startJob, type JobClaims } from '../support/pipeline.ts';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

const ID = '@acme/import-gpkg@1';
const SCOPES = { allowedNamePrefix: '@acme/import-gpkg@', allowedPackageName: '@acme/import-gpkg' };
const PROGRAM = join(import.meta.dirname, '../../../cli/bin/berth.js');

for (const dialect of DIALECTS) {
  describe(`publishing without a key on ${dialect}`, () => {
    let berth: TestServer;
    let provider: TestProvider;
    let audience: string;
    let tarball: Buffer;
    before(async () => {
      const port = await freePort();
      audience = `http://127.0.0.1:${port}`;
      [berth, provider, tarball] = await Promise.all([
        startTestServer({ dialect, env: { PORT: `${port}`, PUBLIC_URL: audience } }),
        startTestProvider(audience),
        npmTarball({ name: '@acme/import-gpkg' }),
      ]);
    });
    after(async () => {
      await berth.close();
      await provider.stop();
    });
    beforeEach(async () => {
      for (const { _id } of await listed()) await remove(_id);
    });

    const asAdmin = async (method: string, path: string, body?: unknown) =>
      berth.api(method, path, { headers: await berth.superadmin(), body });
    const listed = async () =>
      (
        (await (await asAdmin('GET', '/trusted-publishers')).json()) as {
          results: { _id: string; name: string; lastUsedAt?: string }[];
        }
      ).results;
    const remove = (id: string) => asAdmin('DELETE', `/trusted-publishers/${id}`);
    async function trust(fields: Record<string, unknown> = {}): Promise<string> {
      const response = await asAdmin('POST', '/trusted-publishers', {
        name: 'gpkg',
        provider: 'github',
        issuer: provider.issuer,
        repository: 'acme/import-gpkg',
        workflow: 'publish.yml',
        environment: 'production',
        ...SCOPES,
        ...fields,
      });
      assert.equal(response.status, 201, await response.clone().text());
      return ((await response.json()) as { _id: string })._id;
    }
    const job = (changed?: JobClaims) => provider.sign(githubJob(provider, audience, changed));
    const exchange = (token: string, artefactId?: string) =>
      berth.api('POST', '/upload-tokens', { body: { token, ...(artefactId !== undefined && { artefactId }) } });
    async function keyFor(token: string, artefactId?: string): Promise<string> {
      const response = await exchange(token, artefactId);
      assert.equal(response.status, 201, await response.clone().text());
      return ((await response.json()) as { key: string }).key;
    }
    const upload = (key: string, id = ID) => berth.upload(id, { file: tarball, headers: { 'x-api-key': key } });

    test('a job of a trusted repository gets a key for an hour, publishes, and is named', async () => {
      const _id = await trust();
      const response = await exchange(await job());
      assert.equal(response.headers.get('cache-control'), 'no-store');
      const { key, expiresAt, publisher } = (await response.json()) as {
        key: string;
        expiresAt: string;
        publisher: object;
      };
      assert.deepEqual(publisher, { _id, name: 'gpkg' });
      assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 3_600_000) < 60_000);
      const uploaded = await upload(key);
      assert.equal(uploaded.status, 201, await uploaded.clone().text());
      const { artefact } = (await uploaded.json()) as { artefact: { uploadedBy: { apiKeyName: string } } };
      assert.equal(artefact.uploadedBy.apiKeyName, 'gpkg · acme/import-gpkg · v1.2.0 · aaaaaaa · run 77');
      assert.ok((await listed())[0]?.lastUsedAt);
    });

    test('the key has the scopes of its publisher, and is in no list of keys', async () => {
      await trust();
      const key = await keyFor(await job());
      await readProblem(await upload(key, '@acme/other@1'), 403, 'key_scope');
      await readProblem(
        await berth.upload('@acme/import-gpkg@9', {
          file: await npmTarball({ name: '@acme/other' }),
          headers: { 'x-api-key': key },
        }),
        403,
        'key_scope',
      );
      const { results } = (await (await asAdmin('GET', '/api-keys')).json()) as { results: { shortId: string }[] };
      assert.ok(results.every(({ shortId }) => !key.startsWith(shortId)));
    });

    test('a project of GitLab is recognised by its claims', async () => {
      await trust({
        provider: 'gitlab',
        repository: 'Acme/geo/import-gpkg',
        repositoryId: '4242',
        workflow: '.gitlab-ci.yml',
        environment: 'staging',
      });
      assert.equal((await upload(await keyFor(await provider.sign(gitlabJob(provider, audience))))).status, 201);
      await readProblem(
        await exchange(
          await provider.sign(
            gitlabJob(provider, audience, {
              ci_config_ref_uri: `${new URL(provider.issuer).host}/acme/geo/import-gpkg//other.yml@refs/heads/main`,
            }),
          ),
        ),
        403,
        'publisher_not_trusted',
      );
      await readProblem(
        await exchange(await provider.sign(gitlabJob(provider, audience, { project_id: '4243' }))),
        403,
        'publisher_not_trusted',
      );
    });

    for (const [what, changed] of Object.entries<JobClaims>({
      'another repository': { repository: 'mallory/import-gpkg' },
      'a repository whose name begins alike': { repository: 'acme/import-gpkg-fork' },
      'another workflow': { workflow_ref: 'acme/import-gpkg/.github/workflows/test.yml@refs/heads/main' },
      'a workflow of another repository': {
        workflow_ref: 'mallory/import-gpkg/.github/workflows/publish.yml@refs/heads/main',
      },
      'another environment': { environment: 'staging' },
      'no environment': { environment: undefined },
      'claims of GitLab': { repository: undefined, project_path: 'acme/import-gpkg' },
    })) {
      test(`a job of ${what} is refused`, async () => {
        await trust();
        await readProblem(await exchange(await job(changed)), 403, 'publisher_not_trusted');
      });
    }

    test('a repository that came by the name of a trusted one is refused by its number', async () => {
      await trust({ repositoryId: '4243' });
      await readProblem(await exchange(await job()), 403, 'publisher_not_trusted');
    });

    for (const [what, changed] of Object.entries<JobClaims>({
      'made for another registry': { aud: 'https://other.example.org' },
      'made for nobody': { aud: undefined },
      'that has ended': { exp: Math.floor(Date.now() / 1000) - 60 },
      'that never ends': { exp: undefined },
      'that does not hold yet': { nbf: Math.floor(Date.now() / 1000) + 600 },
    })) {
      test(`a token ${what} is refused`, async () => {
        await trust();
        await readProblem(await exchange(await job(changed)), 401, 'identity_token_invalid');
      });
    }

    test('an issuer that nobody trusts is refused, and not asked for anything', async () => {
      await trust();
      await readProblem(await exchange(await job({ iss: 'http://127.0.0.1:1' })), 403, 'publisher_not_trusted');
    });

    test('a trusted issuer that is away is said to be', async () => {
      const away = `http://127.0.0.1:${await freePort()}`;
      await trust({ issuer: away });
      await readProblem(await exchange(await job({ iss: away })), 503, 'issuer_unavailable');
    });

    test('an issuer that has moved its keys is found again', async () => {
      const { publicKey, privateKey } = await generateKeyPair('RS256');
      const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256' }] };
      let keysAt = '/before';
      const server = createHttpServer((request, response) => {
        if (request.url === '/.well-known/openid-configuration')
          response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}${keysAt}` }));
        else if (request.url === '/after') response.end(JSON.stringify(keys));
        else response.writeHead(404).end();
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      try {
        await trust({ issuer });
        const token = await new SignJWT(githubJob(provider, audience, { iss: issuer }))
          .setProtectedHeader({ alg: 'RS256', kid: 'one' })
          .sign(privateKey);
        await readProblem(await exchange(token), 503, 'issuer_unavailable');
        keysAt = '/after';
        assert.ok(await keyFor(token));
      } finally {
        server.close();
        server.closeAllConnections();
      }
    });

    test('a token that its issuer has not signed is refused', async () => {
      await trust();
      const { privateKey } = await generateKeyPair('RS256');
      const forged = (header: { alg: string; kid: string }) =>
        new SignJWT(githubJob(provider, audience)).setProtectedHeader(header);
      await readProblem(
        await exchange(await forged({ alg: 'RS256', kid: 'key-1' }).sign(privateKey)),
        401,
        'identity_token_invalid',
      );
      await readProblem(
        await exchange(await forged({ alg: 'RS256', kid: 'key-2' }).sign(privateKey)),
        401,
        'identity_token_invalid',
      );
      await readProblem(
        await exchange(
          await forged({ alg: 'HS256', kid: 'key-1' }).sign(
            new TextEncoder().encode('a guess of thirty-two characters'),
          ),
        ),
        401,
        'identity_token_invalid',
      );
      const unsigned = [{ alg: 'none' }, githubJob(provider, audience)]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.');
      await readProblem(await exchange(`${unsigned}.`), 401, 'identity_token_invalid');
      await readProblem(await exchange('no token'), 401, 'identity_token_invalid');
    });

    test('a token brings one key: the second time it is refused, at the same moment, too', async () => {
      await trust();
      const token = await job();
      const answers = await Promise.all([exchange(token), exchange(token), exchange(token)]);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 401, 401]);
      await readProblem(await exchange(token), 401, 'identity_token_used');
    });

    test('keys end with the publisher, and a publisher that is gone is not found', async () => {
      const id = await trust();
      const key = await keyFor(await job());
      assert.equal((await remove(id)).status, 204);
      await readProblem(await upload(key), 401, 'api_key_invalid');
      await readProblem(await remove(id), 404, 'trusted_publisher_not_found');
      await readProblem(await exchange(await job()), 403, 'publisher_not_trusted');
    });

    test('of several publishers of one repository, the one is taken that may upload what is wanted', async () => {
      await trust({ name: 'all of acme', allowedNamePrefix: '@acme/', allowedPackageName: undefined });
      await trust({ name: 'gpkg' });
      await trust({ name: 'shp', allowedNamePrefix: '@acme/import-shp@', allowedPackageName: '@acme/import-shp' });
      const publisherFor = async (artefactId: string) =>
        ((await (await exchange(await job(), artefactId)).json()) as { publisher: { name: string } }).publisher.name;
      assert.equal(await publisherFor('@acme/import-gpkg@1'), 'gpkg');
      assert.equal(await publisherFor('@acme/import-shp@1'), 'shp');
      assert.equal(await publisherFor('@acme/import-csv@1'), 'all of acme');
    });

    test('the audit log tells of trust, of the job that used it, and of what it uploaded', async () => {
      const id = await trust();
      const key = await keyFor(await job());
      await upload(key);
      const events = async (query: string) =>
        (
          (await (await asAdmin('GET', `/audit-events?${query}`)).json()) as {
            results: { action: string; actor: { kind: string }; details: Record<string, unknown> }[];
          }
        ).results;
      const [used, made] = await events(`target=${id}`);
      assert.deepEqual([made?.action, used?.action], ['trusted-publisher.create', 'trusted-publisher.exchange']);
      assert.partialDeepStrictEqual(used?.details, {
        ref: 'refs/tags/v1.2.0',
        run: '77',
        by: 'uma',
        environment: 'production',
      });
      const [pushed] = await events(`actor=${used?.details['apiKeyId'] as string}`);
      assert.equal(pushed?.action, 'artefact.upload');
      assert.ok(!JSON.stringify([used, made, pushed]).includes(key));
    });

    test('what nobody could have named is refused, not broken by', async () => {
      const claims = (iss: unknown) =>
        ['{"alg":"RS256"}', JSON.stringify({ iss })].map((part) => Buffer.from(part).toString('base64url')).join('.');
      for (const iss of [5, null, ['a'], {}])
        await readProblem(await exchange(`${claims(iss)}.c2ln`), 401, 'identity_token_invalid');
      assert.ok((await exchange(`${claims('\u0000')}.c2ln`)).status < 500);
      assert.ok((await remove('%00')).status < 500);
    });

    test('an address whose tokens are refused again and again is stopped, but not a token that holds', async () => {
      await trust();
      const from = (token: string) =>
        berth.api('POST', '/upload-tokens', { headers: { 'x-forwarded-for': '203.0.113.9' }, body: { token } });
      const answers = [];
      for (let attempt = 0; attempt < 70 && answers.at(-1) !== 429; attempt++)
        answers.push((await from('no token')).status);
      assert.deepEqual([answers[0], answers.at(-1)], [401, 429]);
      assert.equal((await from(await job())).status, 201);
    });

    test('fields that cannot be trusted are refused, each by its name', async () => {
      const fields = { name: 'CI', provider: 'gitlab', repository: 'acme/gpkg' };
      for (const issuer of [
        'http://gitlab.example.org',
        'https://user:secret@gitlab.example.org',
        'https://gitlab.example.org?x',
        'gitlab.example.org',
      ]) {
        const { errors } = await readProblem(
          await asAdmin('POST', '/trusted-publishers', { ...fields, issuer }),
          400,
          'trusted_publisher_invalid',
        );
        assert.deepEqual(
          errors?.map(({ path }) => path),
          ['/issuer'],
          issuer,
        );
      }
      const { errors } = await readProblem(
        await asAdmin('POST', '/trusted-publishers', { ...fields, allowedCategory: 'none such' }),
        400,
        'trusted_publisher_invalid',
      );
      assert.deepEqual(
        errors?.map(({ path }) => path),
        ['/allowedCategory'],
      );
      const made = (await (await asAdmin('POST', '/trusted-publishers', fields)).json()) as { issuer: string };
      assert.equal(made.issuer, 'https://gitlab.com');
    });

    describe('the command in a job', () => {
      let folder: string;
      before(async () => {
        folder = await mkdtemp(join(tmpdir(), 'berth-job-'));
      });
      after(() => rm(folder, { recursive: true, force: true }));

      function run(
        words: string[],
        env: Record<string, string>,
      ): Promise<{ status: number; stdout: string; stderr: string }> {
        const own = { PATH: process.env['PATH'], HOME: folder, XDG_CONFIG_HOME: folder, BERTH_URL: audience, ...env };
        return new Promise((done) =>
          execFile(process.execPath, [PROGRAM, ...words], { env: own, cwd: folder }, (error, stdout, stderr) =>
            done({ status: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
          ),
        );
      }

      test('publishes on GitHub with no key at all', async () => {
        await trust();
        const at = await startJob(provider);
        try {
          await writeFile(
            join(folder, 'plugin.tgz'),
            await npmTarball({ name: '@acme/import-gpkg', version: '1.2.0' }),
          );
          const { status, stdout, stderr } = await run(['publish', 'plugin.tgz', '--json'], at.env);
          assert.equal(status, 0, stderr);
          assert.partialDeepStrictEqual(JSON.parse(stdout), { id: ID, isPublished: true });
          const refused = await run(['publish', 'plugin.tgz'], {
            ...at.env,
            ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of another',
          });
          assert.equal(refused.status, 1);
          assert.match(refused.stderr, /^berth publish: the pipeline makes no identity token: .*id-token: write/m);
        } finally {
          await at.stop();
        }
      });

      test('gets one key for the token of GitLab, and uploads a file with it', async () => {
        await trust({
          provider: 'gitlab',
          repository: 'acme/geo/import-gpkg',
          workflow: undefined,
          environment: undefined,
          allowedNamePrefix: '@acme/',
          allowedPackageName: undefined,
        });
        const token = await run(['token'], { BERTH_ID_TOKEN: await provider.sign(gitlabJob(provider, audience)) });
        assert.match(token.stdout, /^reg_[^_]{8}_[0-9a-f]{64}\n$/, token.stderr);
        await writeFile(join(folder, 'map.pmtiles'), 'a map');
        const uploaded = await run(['upload', 'map.pmtiles', '--id', '@acme/map'], {
          BERTH_API_KEY: token.stdout.trim(),
        });
        assert.equal(uploaded.status, 0, uploaded.stderr);
        const refused = await run(['upload', 'map.pmtiles', '--id', '@acme/map'], {
          BERTH_ID_TOKEN: await provider.sign(gitlabJob(provider, 'https://other.example.org')),
        });
        assert.match(
          refused.stderr,
          /berth upload: This identity token was made for somebody else: .*audience http:\/\/127/,
        );
        assert.equal((await run(['token'], {})).status, 1);
      });
    });
  });
}
