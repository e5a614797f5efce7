// A registry and an OpenID provider whose pipelines it can trust, on each database of the run.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { startTestProvider, type TestProvider } from '../support/openid-provider.ts';
import { githubJob, type JobClaims } from '../support/pipeline.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

export const ID = '@acme/import-gpkg@1';
const SCOPES = { allowedNamePrefix: '@acme/import-gpkg@', allowedPackageName: '@acme/import-gpkg' };

export interface Publisher {
  _id: string;
  name: string;
  provider: string;
  repository: string;
  repositoryId?: string;
  workflow?: string;
  branch?: string;
  tag?: string;
  environment?: string;
  anyRef?: boolean;
  events?: string[];
  loose?: boolean;
  lastUsedAt?: string;
}

export interface PublisherFixture {
  readonly berth: TestServer;
  readonly provider: TestProvider;
  /** Address of the registry, which is the audience of identity tokens. */
  readonly audience: string;
  asAdmin(method: string, path: string, body?: unknown): Promise<Response>;
  list(): Promise<Publisher[]>;
  remove(id: string): Promise<Response>;
  /** Creates a trusted publisher for the GitHub job of `job()` and returns its ID. */
  trust(fields?: Record<string, unknown>): Promise<string>;
  /** Signs the identity token of a GitHub job. */
  job(changes?: JobClaims): Promise<string>;
  exchange(token: string, artefactId?: string): Promise<Response>;
  /** Exchanges a token and returns the key. */
  keyFor(token: string, artefactId?: string): Promise<string>;
  upload(key: string, id?: string): Promise<Response>;
}

/** Runs the tests on each database of the run; each test starts without trusted publishers. */
export function describeWithProvider(name: string, declareTests: (fixture: PublisherFixture) => void): void {
  for (const dialect of DIALECTS) {
    describe(`${name} on ${dialect}`, () => {
      let berth: TestServer;
      let provider: TestProvider;
      let audience: string;
      let tarball: Buffer;
      const fixture: PublisherFixture = {
        get berth() {
          return berth;
        },
        get provider() {
          return provider;
        },
        get audience() {
          return audience;
        },
        asAdmin: async (method, path, body) => berth.api(method, path, { headers: await berth.superadmin(), body }),
        async list() {
          const response = await fixture.asAdmin('GET', '/trusted-publishers');
          return ((await response.json()) as { results: Publisher[] }).results;
        },
        remove: (id) => fixture.asAdmin('DELETE', `/trusted-publishers/${id}`),
        async trust(fields = {}) {
          const response = await fixture.asAdmin('POST', '/trusted-publishers', {
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
        },
        job: (changes) => provider.sign(githubJob(provider, audience, changes)),
        exchange: (token, artefactId) =>
          berth.api('POST', '/upload-tokens', { body: { token, ...(artefactId !== undefined && { artefactId }) } }),
        async keyFor(token, artefactId) {
          const response = await fixture.exchange(token, artefactId);
          assert.equal(response.status, 201, await response.clone().text());
          return ((await response.json()) as { key: string }).key;
        },
        upload: (key, id = ID) => berth.upload(id, { file: tarball, headers: { 'x-api-key': key } }),
      };

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
        for (const { _id } of await fixture.list()) await fixture.remove(_id);
      });
      declareTests(fixture);
    });
  }
}
