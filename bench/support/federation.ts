// Drives a registry and its mirror through their API.

import { setTimeout as sleep } from 'node:timers/promises';
import { artefactUrl, INTERNAL, signIn } from './berth-process.ts';
import type { ServerProcess } from './processes.ts';

export interface RemoteState {
  syncState: 'running' | 'interrupted' | 'idle';
  lastSyncAt?: string;
  lastSyncStatus?: 'success' | 'error';
  lastSyncError?: string;
  syncProgress?: { startedAt: string; bytesDone?: number };
  results: { artefactId: string; status: string; reason?: string }[];
}

const OWNER = { type: 'organization', id: 'mirrors' };
/** Long enough not to affect the measurement: each response contains all results. */
const POLL_MS = 250;
const TIMEOUT_MS = 600_000;

type Berth = Pick<ServerProcess, 'url'>;

/** One session per server process, since sign-ins are rate-limited. */
const sessions = new WeakMap<Berth, Promise<{ cookie: string }>>();
function sessionOf(berth: Berth): Promise<{ cookie: string }> {
  const session = sessions.get(berth) ?? signIn(berth.url);
  sessions.set(berth, session);
  return session;
}

/** Reuses the session of a process for the one that replaces it on the same data. */
export function keepSession(before: Berth, after: Berth): void {
  const session = sessions.get(before);
  if (session) sessions.set(after, session);
}

/** Creates a read key. */
export async function makeReadKey(berth: Berth): Promise<string> {
  const session = await sessionOf(berth);
  await callApi(berth, session, 'POST', '/access-grants', { account: OWNER });
  return (
    (await callApi(berth, session, 'POST', '/api-keys', { type: 'read', name: 'mirror', owner: OWNER })) as {
      key: string;
    }
  ).key;
}

/** Makes artefacts public. */
export async function publishAll(berth: Berth, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const response = await fetch(artefactUrl(berth, id), {
      method: 'PATCH',
      headers: { ...INTERNAL, 'content-type': 'application/json' },
      body: '{"public":true}',
    });
    if (!response.ok) throw new Error(`${id} could not be made public: ${await response.text()}`);
  }
}

/** Adds a remote registry, all of whose artefacts are mirrored, without a schedule. */
export async function addRemote(mirror: Berth, url: string, apiKey: string): Promise<void> {
  await callApi(mirror, await sessionOf(mirror), 'POST', '/remote-registries', {
    url,
    name: 'original',
    apiKey,
    schedule: null,
    selectedPatterns: ['**'],
  });
}

/**
 * Requests a run, once any run in progress has ended.
 * @returns the time at which the previous run ended
 */
export async function startSync(mirror: Berth, url: string, query = ''): Promise<string | undefined> {
  for (const deadline = Date.now() + TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    const { syncState, lastSyncAt } = await readRemote(mirror, url);
    if (syncState === 'running') continue;
    try {
      await callApi(
        mirror,
        await sessionOf(mirror),
        'POST',
        `/remote-registries/${encodeURIComponent(url)}/sync${query}`,
      );
      return lastSyncAt;
    } catch (error) {
      if (!String(error).includes('sync_running')) throw error;
    }
  }
  throw new Error(`The synchronisation did not end within ${TIMEOUT_MS / 1000} s.`);
}

export async function readRemote(mirror: Berth, url: string): Promise<RemoteState> {
  return (await callApi(
    mirror,
    await sessionOf(mirror),
    'GET',
    `/remote-registries/${encodeURIComponent(url)}`,
  )) as RemoteState;
}

/** Runs a synchronisation to completion. @throws Error if it failed */
export async function synchronise(
  mirror: Berth,
  url: string,
  query = '',
): Promise<{ seconds: number; state: RemoteState }> {
  const before = await startSync(mirror, url, query);
  for (const deadline = Date.now() + TIMEOUT_MS; Date.now() < deadline; await sleep(POLL_MS)) {
    const state = await readRemote(mirror, url);
    if (state.lastSyncAt === before || state.syncState !== 'idle') continue;
    if (state.lastSyncStatus !== 'success')
      throw new Error(
        `${state.lastSyncError} ` +
          JSON.stringify(state.results.filter(({ status }) => status === 'failed').slice(0, 3)),
      );
    return {
      seconds: (Date.parse(state.lastSyncAt ?? '') - Date.parse(state.syncProgress?.startedAt ?? '')) / 1000,
      state,
    };
  }
  throw new Error(`The synchronisation did not end within ${TIMEOUT_MS / 1000} s.`);
}

/** Returns the digests of all slots of all artefacts: `{ '<id> <architecture>': digest }`. */
export async function readDigests(berth: Berth): Promise<Record<string, string>> {
  const response = await fetch(`${berth.url}/api/v1/artefacts?size=1000&includeDeprecated=true&sort=name`, {
    headers: INTERNAL,
  });
  const { results } = (await response.json()) as {
    results: { _id: string; digest?: string; tarballs?: Record<string, { digest: string }> }[];
  };
  return Object.fromEntries(
    results.flatMap(({ _id, digest, tarballs }) =>
      tarballs
        ? Object.entries(tarballs).map(([architecture, slot]) => [`${_id} ${architecture}`, slot.digest])
        : [[`${_id} `, digest ?? '']],
    ),
  );
}

async function callApi(
  { url }: Berth,
  headers: Record<string, string>,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} got status ${response.status}: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}
