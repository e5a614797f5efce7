// Simulates CI pipelines: the claims of their identity tokens, and GitHub's endpoint that issues the tokens. A real
// OpenID provider signs them.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import type { TestProvider } from './openid-provider.ts';

/** Changes of claims; undefined removes a claim. */
export type JobClaims = Record<string, unknown>;

const FIVE_MINUTES_S = 300;

function standardClaims(provider: TestProvider, audience: string): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return { iss: provider.issuer, aud: audience, iat: now, nbf: now, exp: now + FIVE_MINUTES_S, jti: randomUUID() };
}

/** The claims of GitHub Actions for a job on a tag. */
export function githubJob(provider: TestProvider, audience: string, changes: JobClaims = {}): JWTPayload {
  return {
    ...standardClaims(provider, audience),
    sub: 'repo:acme/import-gpkg:environment:production',
    repository: 'acme/import-gpkg',
    repository_id: '4242',
    repository_owner: 'acme',
    environment: 'production',
    ref: 'refs/tags/v1.2.0',
    ref_type: 'tag',
    event_name: 'push',
    sha: 'a'.repeat(40),
    run_id: '77',
    actor: 'uma',
    workflow_ref: 'acme/import-gpkg/.github/workflows/publish.yml@refs/tags/v1.2.0',
    ...changes,
  };
}

/** The claims of GitLab for a job on a branch. */
export function gitlabJob(provider: TestProvider, audience: string, changes: JobClaims = {}): JWTPayload {
  return {
    ...standardClaims(provider, audience),
    sub: 'project_path:acme/geo/import-gpkg:ref_type:branch:ref:main',
    project_path: 'acme/geo/import-gpkg',
    project_id: '4242',
    environment: 'staging',
    ref: 'main',
    ref_type: 'branch',
    ref_path: 'refs/heads/main',
    pipeline_source: 'push',
    sha: 'b'.repeat(40),
    pipeline_id: '78',
    user_login: 'uma',
    ci_config_ref_uri: `${new URL(provider.issuer).host}/acme/geo/import-gpkg//.gitlab-ci.yml@refs/heads/main`,
    ...changes,
  };
}

export interface JobEnvironment {
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** Starts the token endpoint, and returns the environment of a GitHub Actions job with `id-token: write`. */
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
