// What tests ask of a Berth, wherever it runs: in this process, in one of its own, behind a proxy.

export interface UploadForm {
  format?: 'npm' | 'file';
  file?: Uint8Array;
  fileName?: string;
  fields?: Record<string, string>;
  headers?: Record<string, string>;
}

export interface TestClient {
  /** Such as `http://127.0.0.1:40123`. */
  url: string;
  /** Headers of an internal service. */
  internal: Record<string, string>;
  /** Headers of the first superadmin's session; he signs in at the first call. */
  superadmin: () => Promise<Record<string, string>>;
  /** Requests a path below `/api/v1`; an object as body is sent as JSON. */
  api: (method: string, path: string, options?: { headers?: Record<string, string>; body?: unknown }) => Promise<Response>;
  /** Uploads as an internal service unless other headers are given. */
  upload: (id: string, form: UploadForm) => Promise<Response>;
  /** Creates an upload key and returns it raw. */
  uploadKey: (scopes?: Record<string, string>) => Promise<string>;
  /** Grants an account access (if it has none) and returns a raw read key of it. */
  readKey: (owner: { type: 'user' | 'organization'; id: string; department?: string }) => Promise<string>;
}

export const ADMIN_EMAIL = 'admin@example.org';
export const ADMIN_PASSWORD = 'correct horse battery';

/** @param internalSecret SECRET_INTERNAL_SERVICES of the server, whose first superadmin is ADMIN_EMAIL */
export function createTestClient(url: string, internalSecret: string): TestClient {
  const internal = { 'x-secret-key': internalSecret };
  let session: Promise<Record<string, string>> | undefined;

  const api: TestClient['api'] = (method, path, { headers = {}, body } = {}) => fetch(`${url}/api/v1${path}`, {
    method, redirect: 'manual',
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const superadmin = () => session ??= signIn(url, ADMIN_EMAIL, ADMIN_PASSWORD);
  const created = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await api('POST', path, { headers: await superadmin(), body });
    if (response.status !== 201) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return await response.json() as Record<string, unknown>;
  };

  return {
    url, internal, superadmin, api,
    upload: (id, { format = 'npm', file, fileName = 'plugin.tgz', fields = {}, headers = internal }) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      if (file) form.set('file', new Blob([file]), fileName);
      return fetch(`${url}/api/v1/artefacts/${format}/${encodeURIComponent(id)}`, { method: 'POST', headers, body: form });
    },
    uploadKey: async (scopes = {}) => (await created('/api-keys', { type: 'upload', name: 'CI', ...scopes }))['key'] as string,
    readKey: async (owner) => {
      await api('POST', '/access-grants', { headers: internal, body: { account: owner } });
      return (await created('/api-keys', { type: 'read', name: 'reader', owner }))['key'] as string;
    },
  };
}

/** Signs in and returns the headers of the session. */
export async function signIn(url: string, email: string, password: string): Promise<Record<string, string>> {
  const response = await fetch(`${url}/api/auth/sign-in/email`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password }) });
  if (!response.ok) throw new Error(`sign-in of ${email}: ${response.status} ${await response.text()}`);
  return { cookie: response.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0]).join('; ') };
}
