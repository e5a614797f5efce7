// What tests ask of a Berth, wherever it runs: in this process, in one of its own, behind a proxy.

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
  /** Requests a path below `/api/v1`; an object as body is sent as JSON. */
  api: (
    method: string,
    path: string,
    options?: { headers?: Record<string, string>; body?: unknown },
  ) => Promise<Response>;
  /** Uploads as an internal service unless other headers are given. */
  upload: (id: string, form: UploadForm) => Promise<Response>;
  /** Creates an upload key and returns it raw. */
  uploadKey: (scopes?: Record<string, string>) => Promise<string>;
  /** Grants an account access (if it has none) and returns a raw read key of it. */
  readKey: (owner: { type: 'user' | 'organization'; id: string; department?: string }) => Promise<string>;
}

/**
 * @param internalSecret SECRET_INTERNAL_SERVICES of the server, whose first superadmin is ADMIN_EMAIL unless `people`
 *   says otherwise
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
  const created = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
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
      (await created('/api-keys', { type: 'upload', name: 'CI', ...scopes }))['key'] as string,
    readKey: async (owner) => {
      await api('POST', '/access-grants', { headers: internal, body: { account: owner } });
      return (await created('/api-keys', { type: 'read', name: 'reader', owner }))['key'] as string;
    },
  };
}
