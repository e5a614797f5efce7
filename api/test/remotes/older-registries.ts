// Fake registries with older dialects of this API. `slots`: a map of tarballs, without digests, validators or ranges.
// `root`: no slots, one tarball at the root of the document, served by /download.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Dialect = 'slots' | 'root';

export interface OlderRegistry {
  url: string;
  /** Stores a tarball; the dialect `root` ignores the architecture. */
  put(id: string, file: Buffer, architecture?: string): void;
  /** Called before each response to a download. */
  onDownload: (() => void) | undefined;
  downloads: number;
  /** Whether documents have the sizes of their tarballs. */
  sendsSizes: boolean;
  close(): Promise<void>;
}

interface StoredArtefact {
  files: Map<string, { file: Buffer; uploadedAt: string }>;
  dataUpdatedAt: string;
}

export async function startOlderRegistry(dialect: Dialect, apiKey: string): Promise<OlderRegistry> {
  const artefacts = new Map<string, StoredArtefact>();
  let clock = Date.parse('2026-01-01T00:00:00.000Z');

  const document = (id: string, { files, dataUpdatedAt }: StoredArtefact) => {
    const common = {
      _id: id,
      name: id,
      format: 'npm',
      packageName: '@acme/plugin',
      version: '1.0.0',
      category: 'processing',
      title: { fr: 'Vieux' },
      dataUpdatedAt,
      updatedAt: dataUpdatedAt,
      public: true,
    };
    const [first] = files.values();
    if (dialect === 'root')
      return {
        ...common,
        path: `npm/${id}.tgz`,
        ...(fixture.sendsSizes && { size: first?.file.length }),
        hasNativeModules: true,
      };
    return {
      ...common,
      tarballs: Object.fromEntries(
        [...files].map(([name, { file, uploadedAt }]) => [
          name,
          {
            path: `npm/${id}/${name}.tgz`,
            ...(fixture.sendsSizes && { size: file.length }),
            uploadedAt,
            hasNativeModules: false,
          },
        ]),
      ),
    };
  };

  const server = createServer((request, response) => {
    const json = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (request.headers['x-api-key'] !== apiKey) return json(401, { message: 'invalid key' });
    const url = new URL(request.url ?? '', 'http://localhost');
    const [, id, route] = /^\/api\/v1\/artefacts(?:\/([^/]+)(?:\/(\w+))?)?$/.exec(url.pathname) ?? [];
    if (id === undefined) {
      const all = [...artefacts].map(([name, stored]) => document(name, stored));
      const skip = Number(url.searchParams.get('skip') ?? 0);
      return json(200, {
        results: all.slice(skip, skip + Number(url.searchParams.get('size') ?? 10)),
        count: all.length,
      });
    }
    const stored = artefacts.get(decodeURIComponent(id));
    if (!stored) return json(404, { message: 'not found' });
    if (route === undefined) return json(200, document(decodeURIComponent(id), stored));
    const isKnown = dialect === 'slots' ? route === 'tarball' : route === 'download';
    const slot = isKnown
      ? stored.files.get(dialect === 'slots' ? (url.searchParams.get('architecture') ?? 'noarch') : 'noarch')
      : undefined;
    if (!slot) return json(404, { message: 'not found' });
    fixture.onDownload?.();
    fixture.downloads++;
    response.writeHead(200, { 'content-type': 'application/gzip', 'content-length': slot.file.length }).end(slot.file);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fixture: OlderRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    onDownload: undefined,
    downloads: 0,
    sendsSizes: true,
    put(id, file, architecture = 'noarch') {
      const stored = artefacts.get(id) ?? {
        files: new Map<string, { file: Buffer; uploadedAt: string }>(),
        dataUpdatedAt: '',
      };
      const now = new Date((clock += 1000)).toISOString();
      stored.files.set(dialect === 'root' ? 'noarch' : architecture, { file, uploadedAt: now });
      artefacts.set(id, { ...stored, dataUpdatedAt: now });
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return fixture;
}
