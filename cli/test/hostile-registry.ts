// A registry every text of which tries to control the terminal.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Sets the title, clears the screen, colours, overwrites the line; C1 controls; turns text around; hides itself. */
export const HOSTILE =
  '\u001b]0;owned\u0007\u001b[2J\u001b[31mFAKE\r\u0008\u009b2J\u007f' +
  '\u202eevil\u2066\u2028\u200b\ufeff\nberth publish: done\tx';

/** What must not reach a terminal. */
export const CONTROLS = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

/** One object with all fields that the commands read, of all kinds of documents. */
function document(depth = 2): Record<string, unknown> {
  const names = [
    '_id', 'name', 'type', 'kind', 'format', 'key', 'shortId', 'packageName', 'version', 'category', 'licence',
    'origin', 'fileName', 'dataUpdatedAt', 'provider', 'issuer', 'repository', 'repositoryId', 'workflow', 'branch',
    'tag', 'environment', 'artefactId', 'status', 'reason', 'at', 'nextTryAt', 'apiKeyShortId', 'schedule',
    'nextSyncAt', 'lastSyncAt', 'lastSyncStatus', 'lastSyncError', 'lastSyncErrorCode', 'allowedName',
    'allowedNamePrefix', 'allowedPackageName', 'allowedCategory', 'expiresAt', 'lastUsedAt', 'grantedAt', 'detail',
    'title', 'code', 'message', 'architecture', 'uploadedAt', 'id', 'subject', 'time', 'next',
  ]; // prettier-ignore
  const texts = Object.fromEntries(names.map((name) => [name, HOSTILE]));
  if (depth === 0) return texts;
  const inner = document(depth - 1);
  const slot = { ...inner, digest: HOSTILE, size: 5, warnings: [{ code: HOSTILE, count: 9, paths: [HOSTILE] }] };
  return {
    ...texts,
    title: { en: HOSTILE, fr: HOSTILE },
    description: { en: HOSTILE },
    data: inner,
    account: inner,
    owner: inner,
    digest: HOSTILE,
    size: 5,
    tarballs: { noarch: slot, [HOSTILE]: slot },
    results: [inner],
    count: 7,
    warnings: [HOSTILE],
    events: [HOSTILE],
    selectedArtefacts: [HOSTILE],
    selectedPatterns: [HOSTILE],
    local: { synced: true, upToDate: false, selected: true },
    syncState: 'idle',
    loose: true,
    public: true,
    errors: [{ path: HOSTILE, message: HOSTILE }],
    artefact: depth === 2 ? document(1) : undefined,
  };
}

export interface HostileRegistry {
  url: string;
  /** Answers all requests with this status; 200 by default. */
  refuseWith: number | undefined;
  /** Changes documents, so that commands find what they look for: `{ name: 'staging' }`. */
  fields: Record<string, unknown>;
  stop(): void;
}

export async function startHostileRegistry(): Promise<HostileRegistry> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      answer(request, response);
    });
  });
  const registry: HostileRegistry = {
    url: '',
    refuseWith: undefined,
    fields: {},
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  function answer({ method }: IncomingMessage, response: ServerResponse): void {
    const status = registry.refuseWith ?? (method === 'POST' ? 201 : 200);
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    const { results, ...rest } = document();
    const [first] = results as object[];
    const body = { ...rest, results: [{ ...document(1), ...first, ...registry.fields }], ...registry.fields };
    const problem = { title: HOSTILE, detail: HOSTILE, code: HOSTILE, errors: rest['errors'] };
    response.writeHead(status, { 'content-type': type, 'set-cookie': 'a=b' });
    response.end(JSON.stringify(status < 400 ? body : problem));
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  registry.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return registry;
}
