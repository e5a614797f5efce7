// Publishing without a key: the identity token that a pipeline makes for its job, exchanged for a key that holds for
// an hour.

import type { RegistryOptions } from '@berth-registry/lib-node';
import { askJson } from './admin.ts';

const TIMEOUT_MS = 30_000;

/**
 * Brings a key where none is given and a pipeline can say who it is; otherwise the registry as it was.
 * @param artefactId what is to be uploaded; default whatever the pipeline may
 * @throws Error that says why the pipeline, or the registry, refuses
 */
export async function withUploadKey(
  registry: RegistryOptions,
  artefactId: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<RegistryOptions> {
  if (registry.apiKey !== undefined) return registry;
  const token = await identityToken(registry.registryUrl, env);
  if (token === undefined) return registry;
  const { key } = await askJson<{ key: string }>(
    registry.registryUrl,
    'POST',
    '/api/v1/upload-tokens',
    {},
    { token, ...(artefactId !== undefined && { artefactId }) },
  );
  return { ...registry, apiKey: key };
}

/**
 * GitLab puts the token in the environment; GitHub makes one for whom it is asked to. It is made for one registry, and
 * of no use to another.
 */
async function identityToken(audience: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer, BERTH_ID_TOKEN: given } = env;
  if (given) return given;
  if (!address || !bearer) return undefined;
  const url = new URL(address);
  url.searchParams.set('audience', audience);
  let value: unknown;
  try {
    const response = await fetch(url, {
      redirect: 'error',
      headers: { authorization: `Bearer ${bearer}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.ok) ({ value } = (await response.json()) as { value?: unknown });
  } catch {
    /* told below */
  }
  if (typeof value !== 'string')
    throw new Error(
      'the pipeline makes no identity token: look at its permissions (id-token: write), or give a key in ' +
        'BERTH_API_KEY',
    );
  return value;
}
