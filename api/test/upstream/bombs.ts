// Answers that are large, deep or endless, and the registry that sends them.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';

export interface BombRegistry {
  url: string;
  /** What its list is answered with; undefined: one artefact, `map`. */
  bomb: Bomb | undefined;
  close(): Promise<void>;
}

export interface Bomb {
  name: string;
  headers?: Record<string, string>;
  status?: number;
  /** @param skip of the requested page */
  body(this: void, skip: number): string | Buffer | Iterable<Buffer>;
}

const MIB = 1024 * 1024;
export const BYTES = Buffer.from('the bytes of the map');
const DOCUMENT = {
  _id: 'map',
  format: 'file',
  category: 'other',
  fileName: 'map.bin',
  size: BYTES.length,
  digest: `sha256:${createHash('sha256').update(BYTES).digest('hex')}`,
};
const page = (entries: string) => `{"results":[${entries}],"count":1}`;

function* repeated(first: string, piece: string, pieces: number, last: string): Generator<Buffer> {
  const bytes = Buffer.from(piece);
  yield Buffer.from(first);
  for (let sent = 0; sent < pieces; sent++) yield bytes;
  yield Buffer.from(last);
}

/** A list of 100 artefacts whose schemas are as large and dense as an upload allows. */
export function densePage(ids: (at: number) => string, extra: object = {}): string {
  const schema = `{"a":[${'[],'.repeat(21_000)}[]]}`;
  const document = JSON.stringify({ ...DOCUMENT, ...extra }).slice(0, -1);
  return Array.from(
    { length: 100 },
    (_unused, at) =>
      `${document.replace('"map"', JSON.stringify(ids(at)))},"processingConfigSchema":${schema},` +
      `"applicationConfigSchema":${schema}}`,
  ).join(',');
}

/** Lists that are refused as a whole. */
export const REFUSED_LISTS: Bomb[] = [
  {
    name: '40 MB of empty arrays',
    body: () => repeated('{"count":1,"results":[', '[],'.repeat(100_000), 130, '[]]}'),
  },
  { name: '15 MB of empty arrays', body: () => repeated('{"count":1,"results":[', '[],'.repeat(100_000), 50, '[]]}') },
  {
    name: '15 MB beside the list',
    body: () => repeated('{"x":[', '[],'.repeat(100_000), 50, '[]],"results":[],"count":0}'),
  },
  { name: '15 MB of opening brackets', body: () => '['.repeat(15 * MIB) },
  { name: '15 MB of quotes and backslashes', body: () => `{"results":["${'\\"'.repeat(7 * MIB)}` },
  {
    name: 'artefacts without an end',
    body(skip) {
      const results = Array.from({ length: 1000 }, (_unused, at) => ({ ...DOCUMENT, _id: `m${skip + at}` }));
      return JSON.stringify({ count: 1e300, results });
    },
  },
  { name: 'a gzip bomb', headers: { 'content-encoding': 'gzip' }, body: () => gzipSync(Buffer.alloc(100 * MIB, '[')) },
  {
    name: 'a redirect to this machine by another name',
    status: 302,
    headers: { location: 'http://0.0.0.0:1/' },
    body: () => '',
  },
  {
    name: 'a redirect to link-local metadata',
    status: 302,
    headers: { location: 'http://169.254.169.254/latest' },
    body: () => '',
  },
  { name: 'a page of HTML', body: () => '<html></html>' },
  { name: 'no count', body: () => '{"results":[]}' },
];

function nested(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}

/** Entries beside which the other artefacts of the list are mirrored. */
export const BROKEN_ENTRIES: Record<string, string> = {
  '20,000 levels': `{"_id":"deep","format":"file","processingConfigSchema":${nested(20_000)}}`,
  'a million levels': `${'['.repeat(500_000)}${']'.repeat(500_000)}`,
  '14 MB of empty arrays': `[${'[],'.repeat(4.6 * MIB)}[]]`,
  'a text of 14 MB': `"${'x'.repeat(14 * MIB)}"`,
  'no JSON': '{"_id":nonsense}',
  'null': 'null',
  'a wrong type in each field': JSON.stringify(
    Object.fromEntries(['_id', 'format', 'category', 'title', 'version', 'tarballs'].map((name) => [name, [{}]])),
  ),
};

export async function startBombRegistry(): Promise<BombRegistry> {
  const registry: BombRegistry = { url: '', bomb: undefined, close };
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    if (pathname.endsWith('/map/download')) return void response.end(BYTES);
    if (!pathname.endsWith('/artefacts')) return void response.writeHead(404).end('{}');
    const { status = 200, headers = {}, body } = registry.bomb ?? { body: () => page(JSON.stringify(DOCUMENT)) };
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    const sent = body(Number(searchParams.get('skip') ?? 0));
    if (typeof sent === 'string' || Buffer.isBuffer(sent)) response.end(sent);
    else
      Readable.from(sent)
        .on('error', () => undefined)
        .pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  registry.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return registry;

  async function close(): Promise<void> {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

/** The list of `startBombRegistry` with another entry before its artefact. */
export function withEntry(entry: string): Bomb {
  return { name: entry.slice(0, 20), body: () => page(`${entry},${JSON.stringify(DOCUMENT)}`) };
}
