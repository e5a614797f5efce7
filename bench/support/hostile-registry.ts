// A registry that answers requests for its list with what exhausts a careless mirror.

import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { freePort } from './processes.ts';
import { MIB } from './memory.ts';

export interface Attack {
  name: string;
  /** Answers a request for the list. @param skip of the requested page */
  answer(this: void, response: ServerResponse, skip: number): void;
}

export interface HostileRegistry extends AsyncDisposable {
  url: string;
  /** Undefined: a list of one ordinary artefact. */
  attack: Attack | undefined;
}

const PAGE_SIZE = 100;
const DRIP_MS = 50;

const document = (id: string) => ({ _id: id, format: 'file', category: 'other', fileName: 'data.bin', size: 1 });
const list = (entries: readonly string[], count: number) => `{"count":${count},"results":[${entries.join(',')}]}`;

/** As large and dense as the documents of uploads may be. */
function denseDocument(id: string): string {
  const schema = `{"a":[${'[],'.repeat(21_000)}[]]}`;
  const fields = JSON.stringify(document(id)).slice(0, -1);
  return `${fields},"processingConfigSchema":${schema},"applicationConfigSchema":${schema}}`;
}

function* repeated(first: string, piece: string, pieces: number, last: string): Generator<Buffer> {
  const bytes = Buffer.from(piece);
  yield Buffer.from(first);
  for (let sent = 0; sent < pieces; sent++) yield bytes;
  yield Buffer.from(last);
}

const streamed =
  (...parts: Parameters<typeof repeated>): Attack['answer'] =>
  (response) => {
    Readable.from(repeated(...parts))
      .on('error', () => undefined)
      .pipe(response);
  };
const pages =
  (entry: (id: string) => string, total: number): Attack['answer'] =>
  (response, skip) => {
    const entries = Array.from({ length: Math.max(0, Math.min(PAGE_SIZE, total - skip)) }, (_unused, at) =>
      entry(`m${skip + at}`),
    );
    response.end(list(entries, total));
  };

export const ATTACKS: Attack[] = [
  { name: '200 MB of empty arrays', answer: streamed('{"count":1,"results":[', '[],'.repeat(100_000), 650, '[]]}') },
  {
    name: 'a page of 15 MB of empty arrays',
    answer: streamed('{"count":1,"results":[', '[],'.repeat(5000), 1000, '[]]}'),
  },
  {
    name: 'one entry of 15 MB of arrays',
    answer: streamed('{"count":1,"results":[[', '[],'.repeat(5000), 1000, '[]]]}'),
  },
  {
    name: '15 MB beside the list',
    answer: streamed('{"x":[', '[],'.repeat(5000), 1000, '[]],"results":[],"count":0}'),
  },
  { name: '15 million levels', answer: streamed('', '['.repeat(MIB), 15, '') },
  {
    name: 'a page of 60 entries that are nearly too large',
    answer: pages((id) => `${JSON.stringify(document(id)).slice(0, -1)},"x":[${'[],'.repeat(85_000)}[]]}`, 60),
  },
  { name: 'the largest documents, without an end', answer: pages(denseDocument, 1e15) },
  { name: 'artefacts without an end', answer: pages((id) => JSON.stringify(document(id)), 1e15) },
  { name: '5,000 artefacts without bytes', answer: pages((id) => JSON.stringify(document(id)), 5000) },
  {
    name: 'a list byte by byte',
    answer: (response) => {
      const timer = setInterval(() => response.write(' '), DRIP_MS);
      response.once('close', () => {
        clearInterval(timer);
      });
    },
  },
];

/** Refuses every request, which ends a run. */
export const CLOSED: Attack = {
  name: 'closed',
  answer: (response) => {
    response.writeHead(403).end('{}');
  },
};

export async function startHostileRegistry(): Promise<HostileRegistry> {
  const port = await freePort();
  const server: Server = createServer((request, response) => {
    response.on('error', () => undefined);
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    response.setHeader('content-type', 'application/json');
    if (pathname.endsWith('/download') && !registry.attack) return void response.end('x');
    if (!pathname.endsWith('/artefacts'))
      return void (registry.attack || pathname.includes('/thumbnails/')
        ? response.writeHead(404).end('{}')
        : response.end(JSON.stringify(document('m0'))));
    if (registry.attack) registry.attack.answer(response, Number(searchParams.get('skip') ?? 0));
    else response.end(list([JSON.stringify(document('m0'))], 1));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const registry: HostileRegistry = {
    url: `http://127.0.0.1:${port}`,
    attack: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return registry;
}
