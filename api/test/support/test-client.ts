// HTTP client of the tests, for any server: in this process, in its own process, or behind a proxy.

import { localPeople, type People } from './people.ts';

export { ADMIN_EMAIL, ADMIN_PASSWORD, signIn } from './people.ts';

export interface UploadForm {
  format?: 'npm' | 'file';
  file?: Uint8Array;
  fileName?: string;
  fields?: Record<string, string>;
  headers?: Record<string, string>;
}

export interface TestClient extends People {
  /** Such as `http://127.0.0.1:40123`. */
  url: string;
  /** Headers of an internal service. */
  internal: Record<string, string>;
  /** Requests a path below `/api/v1`; sends an object as JSON. */
  api: (
    method: string,
    path: string,
    options?: { headers?: Record<string, string>; body?: unknown },
  ) => Promise<Response>;
  /** Uploads as an internal service unless other headers are given. */
  upload: (id: string, form: UploadForm) => Promise<Response>;
  /** Creates an upload key and returns the raw key. */
  uploadKey: (scopes?: Record<string, string>) => Promise<string>;
  /** Grants access to an account and creates a read key for it; returns the raw key. */
  readKey: (owner: { type: 'user' | 'organization'; id: string; department?: string }) => Promise<string>;
}

/**
 * @param internalSecret SECRET_INTERNAL_SERVICES of the server
 * @param people default: users of the registry; its first superadmin must be ADMIN_EMAIL
 */
export function createTestClient(url: string, internalSecret: string, people: People = localPeople(url)): TestClient {
  const internal = { 'x-secret-key': internalSecret };

  const api: TestClient['api'] = (method, path, { headers = {}, body } = {}) =>
    fetch(`${url}/api/v1${path}`, {
      method,
      redirect: 'manual',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const create = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await api('POST', path, { headers: await people.superadmin(), body });
    if (response.status !== 201) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };

  return {
    ...people,
    url,
    internal,
    api,
    upload: (id, { format = 'npm', file, fileName = 'plugin.tgz', fields = {}, headers = internal }) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      if (file) form.set('file', new Blob([new Uint8Array(file)]), fileName);
      return fetch(`${url}/api/v1/artefacts/${format}/${encodeURIComponent(id)}`, {
        method: 'POST',
        headers,
        body: form,
      });
    },
    uploadKey: async (scopes = {}) =>
      (await create('/api-keys', { type: 'upload', name: 'CI', ...scopes }))['key'] as string,
    readKey: async (owner) => {
      await api('POST', '/access-grants', { headers: internal, body: { account: owner } });
      return (await create('/api-keys', { type: 'read', name: 'reader', owner }))['key'] as string;
    },
  };
}
