// A small in-memory registry with the same HTTP API, into which tests can inject faults.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Tarball } from './tarballs.ts';

export interface RecordedRequest {
  method: string;
  /** Raw path and query. */
  url: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** Handles a request instead of the registry if it returns true. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface RegistryFixture {
  /** Base URL, including `basePath`. */
  url: string;
  origin: string;
  requests: RecordedRequest[];
  /** Publishes tarballs to slots, replacing all previous ones; `document` overrides fields. */
  publish: (id: string, slots: Record<string, Tarball>, document?: Record<string, unknown>) => void;
  /** Publishes a file, replacing the previous one. */
  publishFile: (id: string, file: Tarball, document?: Record<string, unknown>) => void;
  /** Changes metadata only. */
  edit: (id: string, document: Record<string, unknown>) => void;
  remove: (id: string) => void;
  /** The artefact's dataUpdatedAt. */
  dateOf: (id: string) => string;
  /** Sets the misbehaviour that each request is passed to first, replacing the previous one. */
  misbehave: (misbehaviour: Misbehaviour | undefined) => void;
  /** Counts requests whose path, without query, ends with `suffix`. */
  countRequests: (suffix: string) => number;
  close: () => Promise<void>;
}

export interface FixtureOptions {
  /** Path prefix of all routes. */
  basePath?: string;
  /** Default: a free one. */
  port?: number;
  /** Older versions: `tarballs` has slots without digests, ETags and ranges; `single` one tarball in the document. */
  age?: 'today' | 'tarballs' | 'single';
}

interface StoredArtefact {
  document: Record<string, unknown>;
  slots: Record<string, Tarball>;
}

/** Starts an empty registry. */
export async function startRegistry({
  basePath = '',
  port = 0,
  age = 'today',
}: FixtureOptions = {}): Promise<RegistryFixture> {
  const artefacts = new Map<string, StoredArtefact>();
  const requests: RecordedRequest[] = [];
  let misbehaviour: Misbehaviour | undefined;
  let clockMs = Date.parse('2026-01-01T00:00:00.000Z');
  const tick = (): string => new Date((clockMs += 1000)).toISOString();

  const server = createServer((request, response) => {
    const recorded: RecordedRequest = {
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body: Buffer.alloc(0),
    };
    requests.push(recorded);
    if (misbehaviour?.(request, response)) return;
    const [path = '', query = ''] = recorded.url.split('?');
    const parts = path.slice(`${basePath}/api/v1/`.length).split('/').map(decodeURIComponent);
    if (!path.startsWith(`${basePath}/api/v1/artefacts`)) return sendProblem(response, 404, 'route_not_found');
    if (request.method === 'POST')
      return void receive(request, recorded).then(
        () => {
          sendJson(response, 201, { artefact: { _id: parts[2], format: parts[1] } });
        },
        () => undefined,
      );
    if (parts.length === 1)
      return sendJson(response, 200, {
        results: [...artefacts.values()].map(({ document }) => document),
        count: artefacts.size,
      });
    const stored = artefacts.get(parts[1] ?? '');
    if (stored === undefined) return sendProblem(response, 404, 'artefact_not_found');
    if (parts.length === 2) return sendDocument(request, response, stored);
    const architecture = new URLSearchParams(query).get('architecture') ?? 'noarch';
    const tarball = stored.slots[architecture] ?? stored.slots.noarch;
    const isTarballRoute = parts[2] === 'tarball' && age !== 'single' && stored.document.format === 'npm';
    if (tarball === undefined || (parts[2] !== 'download' && !isTarballRoute))
      return sendProblem(response, 404, 'slot_not_found');
    if (stored.document.format === 'npm') response.setHeader('x-artefact-has-native-modules', 'false');
    response.setHeader('last-modified', new Date(String(stored.document.dataUpdatedAt)).toUTCString());
    sendTarball(request, response, tarball);
  });

  function sendDocument(request: IncomingMessage, response: ServerResponse, { document }: StoredArtefact): void {
    const text = JSON.stringify(document);
    if (age !== 'today') return sendJson(response, 200, document);
    const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 20)}"`;
    response.setHeader('etag', etag);
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end();
    sendJson(response, 200, document);
  }

  function sendTarball(request: IncomingMessage, response: ServerResponse, { bytes, digest }: Tarball): void {
    if (age !== 'today') {
      if (request.headers['if-modified-since'] === response.getHeader('last-modified'))
        return void response.writeHead(304).end();
      return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    }
    const etag = `"${digest}"`;
    response.setHeader('etag', etag);
    response.setHeader('repr-digest', `sha-256=:${Buffer.from(digest.slice(7), 'hex').toString('base64')}:`);
    if (request.headers['if-none-match']?.split(', ').includes(etag)) return void response.writeHead(304).end();
    const start = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
    if (start === undefined || (request.headers['if-range'] ?? etag) !== etag)
      return void response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    if (Number(start) >= bytes.length)
      return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    const rest = bytes.subarray(Number(start));
    response
      .writeHead(206, {
        'content-length': rest.length,
        'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      })
      .end(rest);
  }

  function publish(id: string, slots: Record<string, Tarball>, document: Record<string, unknown> = {}): void {
    const uploadedAt = tick();
    const described = Object.entries(slots).map(([name, { bytes, digest, hasNativeModules = false }]) => [
      name,
      {
        path: `npm/${id}/${name}-${digest.slice(7, 23)}.tgz`,
        size: bytes.length,
        version: document.version,
        uploadedAt,
        hasNativeModules,
        ...(age === 'today' && { digest }),
      },
    ]);
    const root =
      age === 'single'
        ? { path: `npm/${id}.tgz`, hasNativeModules: slots.noarch?.hasNativeModules ?? false }
        : { tarballs: Object.fromEntries(described) as unknown };
    artefacts.set(id, {
      slots,
      document: {
        _id: id,
        name: id,
        format: 'npm',
        dataUpdatedAt: uploadedAt,
        updatedAt: uploadedAt,
        ...root,
        ...document,
      },
    });
  }

  function publishFile(id: string, { bytes, digest }: Tarball, document: Record<string, unknown> = {}): void {
    const filePath = `files/${id}/${digest.slice(7, 23)}-${id}`;
    const file = {
      format: 'file',
      filePath,
      path: filePath,
      fileName: id,
      size: bytes.length,
      tarballs: undefined,
      ...(age === 'today' && { digest }),
    };
    publish(id, { noarch: { bytes, digest } }, { ...file, ...document });
  }

  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: origin + basePath,
    origin,
    requests,
    publish,
    publishFile,
    edit: (id, document) => {
      const stored = artefacts.get(id);
      if (stored !== undefined) stored.document = { ...stored.document, updatedAt: tick(), ...document };
    },
    remove: (id) => {
      artefacts.delete(id);
    },
    dateOf: (id) => String(artefacts.get(id)?.document.dataUpdatedAt),
    misbehave: (next) => {
      misbehaviour = next;
    },
    countRequests: (suffix) => requests.filter(({ url }) => url.split('?')[0]?.endsWith(suffix)).length,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function sendProblem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
    .end(JSON.stringify({ status, title: 'No', detail: `because ${code}`, code }));
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function receive(request: IncomingMessage, recorded: RecordedRequest): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  recorded.body = Buffer.concat(chunks);
}
