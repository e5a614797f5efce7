// A registry as the platform's compose files run it, and what its services have in common: axios with its default
// headers, the internal secret, and the account that they act for.

import axios, { type AxiosInstance } from 'axios';
import { DIALECTS } from '../../support/test-database.ts';
import { startTestServer, type TestServer } from '../../support/test-server.ts';

export const ACME = { type: 'organization', id: 'acme', name: 'Acme' } as const;
export const OTHER = { type: 'organization', id: 'other', name: 'Other' } as const;
export const SECRET = 'internal-secret';

/** The platform serves the registry below this path; inside, services may call it without. */
export const BASE_PATH = '/registry';

export interface Platform extends TestServer {
  /** Addresses that services have in their settings. */
  insideUrls: string[];
  /** The address of browsers. */
  outsideUrl: string;
  /** Requests of a service, relative to /api/v1. */
  service: (options?: { url?: string; account?: object }) => AxiosInstance;
  /** Requests of a page with a session, relative to the address of browsers. */
  page: (session: Record<string, string>) => AxiosInstance;
}

/** Each database, below a path and at the root of a host. */
export const PLATFORMS = DIALECTS.flatMap((dialect) => [BASE_PATH, ''].map((basePath) => ({ dialect, basePath })));

export async function startPlatform({ dialect, basePath }: (typeof PLATFORMS)[number]): Promise<Platform> {
  const server = await startTestServer({
    dialect,
    storage: 'fs',
    signIn: 'simple-directory',
    env: { PUBLIC_URL: `http://localhost${basePath}` },
  });
  const outsideUrl = server.url + basePath;
  return {
    ...server,
    insideUrls: [...new Set([server.url, outsideUrl])],
    outsideUrl,
    service: ({ url = outsideUrl, account } = {}) =>
      axios.create({
        baseURL: `${url}/api/v1`,
        proxy: false,
        headers: { 'x-secret-key': SECRET, ...(account && { 'x-account': JSON.stringify(account) }) },
      }),
    page: (session) => axios.create({ baseURL: outsideUrl, proxy: false, headers: session }),
  };
}

/** The status by which services tell errors apart. */
export async function statusOf(request: Promise<unknown>): Promise<number | undefined> {
  try {
    await request;
    return undefined;
  } catch (error) {
    const { status, statusCode, response } = error as {
      status?: number;
      statusCode?: number;
      response?: { status?: number };
    };
    return status ?? statusCode ?? response?.status;
  }
}

/** The upload of the services: the category, then the file without a type. */
export function uploadForm(category: string, tarball: Uint8Array): FormData {
  const form = new FormData();
  form.append('category', category);
  form.append('file', new Blob([new Uint8Array(tarball)]), 'package.tgz');
  return form;
}

/** An icon, whose part has a type of its own. */
export function iconForm(): FormData {
  const form = new FormData();
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M0 0h8v8z"/></svg>';
  form.append('file', new Blob([svg], { type: 'image/svg+xml' }), 'icon.svg');
  return form;
}

export const routeOf = (id: string): string => `/artefacts/${encodeURIComponent(id)}`;
