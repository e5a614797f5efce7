// Publishing without a stored key: exchanges the identity token (OIDC) of a pipeline job for an upload key that is
// valid for an hour.

import { fetchDirectly, type RegistryOptions } from '@berth-registry/lib-node';
import { requestJson } from './admin.ts';
import { readKey } from './environment.ts';

const TIMEOUT_MS = 30_000;

/**
 * Adds an upload key if there is none and the job has an identity token; otherwise returns the registry unchanged.
 * @param artefactId limits the key to one artefact; default: all that the trusted publisher covers
 * @throws Error if the pipeline issues no token or the registry refuses it
 */
export async function withUploadKey(
  registry: RegistryOptions,
  artefactId: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<RegistryOptions> {
  if (registry.apiKey !== undefined) return registry;
  const token = await identityToken(registry.registryUrl, env);
  if (token === undefined) return registry;
  const { key } = await requestJson<{ key: string }>(
    registry.registryUrl,
    'POST',
    '/api/v1/upload-tokens',
    {},
    { token, ...(artefactId !== undefined && { artefactId }) },
  );
  return { ...registry, apiKey: key };
}

/**
 * Gets the identity token of the job: from the environment on GitLab, from GitHub by a request. Its audience is this
 * registry, so another one refuses it.
 */
async function identityToken(audience: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: requestUrl, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  const gitlabToken = readKey('BERTH_ID_TOKEN', env);
  if (gitlabToken) return gitlabToken;
  if (!requestUrl || !bearer) return undefined;
  const url = new URL(requestUrl);
  url.searchParams.set('audience', audience);
  let value: unknown;
  try {
    const response = await fetchDirectly(url, {
      headers: { authorization: `Bearer ${bearer}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) ({ value } = (await response.json()) as { value?: unknown });
  } catch {
    // Reported below.
  }
  if (typeof value !== 'string')
    throw new Error(
      'the pipeline issued no identity token: grant the job the permission id-token: write, or set BERTH_API_KEY',
    );
  return value;
}
