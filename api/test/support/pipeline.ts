// Jobs of pipelines, and what GitHub gives them to ask for their identity. The tokens are those of a real OpenID
// provider.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import type { TestProvider } from './openid-provider.ts';

/** Undefined takes a claim away. */
export type JobClaims = Record<string, unknown>;

const FIVE_MINUTES_S = 300;

function standard(provider: TestProvider, audience: string): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return { iss: provider.issuer, aud: audience, iat: now, nbf: now, exp: now + FIVE_MINUTES_S, jti: randomUUID() };
}

/** Claims as GitHub Actions makes them for a job of a tag. */
export function githubJob(provider: TestProvider, audience: string, changed: JobClaims = {}): JWTPayload {
  return {
    ...standard(provider, audience),
    sub: 'repo:acme/import-gpkg:environment:production',
    repository: 'acme/import-gpkg',
    repository_id: '4242',
    repository_owner: 'acme',
    environment: 'production',
    ref: 'refs/tags/v1.2.0',
    sha: 'a'.repeat(40),
    run_id: '77',
    actor: 'uma',
    workflow_ref: 'acme/import-gpkg/.github/workflows/publish.yml@refs/tags/v1.2.0',
    ...changed,
  };
}

/** Claims as GitLab makes them for a job of a branch. */
export function gitlabJob(provider: TestProvider, audience: string, changed: JobClaims = {}): JWTPayload {
  return {
    ...standard(provider, audience),
    sub: 'project_path:acme/geo/import-gpkg:ref_type:branch:ref:main',
    project_path: 'acme/geo/import-gpkg',
    project_id: '4242',
    environment: 'staging',
    ref: 'main',
    ref_type: 'branch',
    sha: 'b'.repeat(40),
    pipeline_id: '78',
    user_login: 'uma',
    ci_config_ref_uri: `${new URL(provider.issuer).host}/acme/geo/import-gpkg//.gitlab-ci.yml@refs/heads/main`,
    ...changed,
  };
}

export interface JobEnvironment {
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** What a job of GitHub Actions with `id-token: write` has in its environment. */
export async function startJob(provider: TestProvider): Promise<JobEnvironment> {
  const server = createServer((request, response) => {
    const audience = new URL(request.url ?? '', 'http://localhost').searchParams.get('audience') ?? '';
    if (request.headers.authorization !== 'Bearer of the job') return response.writeHead(401).end();
    void provider
      .sign(githubJob(provider, audience))
      .then((value) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ value })));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    env: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${port}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of the job',
      GITHUB_REF_TYPE: 'tag',
      GITHUB_REF_NAME: 'v1.2.0',
    },
    async stop() {
      server.close();
      await once(server, 'close');
    },
  };
}
