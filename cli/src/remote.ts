// Shared by the commands about remote registries: the API's types, finding one, its key, patterns and times.

import { text } from 'node:stream/consumers';
import type { AdminApi } from './admin.ts';
import { cleanKey, readKey } from './environment.ts';

export type ResultStatus = 'pending' | 'unchanged' | 'updated' | 'failed' | 'gone' | 'skipped';

export interface RemoteResult {
  artefactId: string;
  status: ResultStatus;
  at?: string;
  bytes?: number;
  seconds?: number;
  reason?: string;
  attempts?: number;
  nextTryAt?: string;
}

export const ABOUT_PATTERNS = `A pattern is an ID in which * stands for anything but a slash and ** for anything, or
category: followed by a category.`;

export interface Remote {
  /** Base URL. */
  _id: string;
  name: string;
  apiKeyShortId?: string;
  /** Cron expression in UTC; null if it only syncs on request. */
  schedule: string | null;
  nextSyncAt?: string;
  selectedArtefacts: string[];
  selectedPatterns: string[];
  syncState: 'running' | 'interrupted' | 'idle';
  syncProgress?: { done: number; total: number; currentArtefact?: string; bytesDone?: number; bytesTotal?: number };
  lastSyncAt?: string;
  lastSyncStatus?: 'success' | 'error';
  lastSyncError?: string;
  lastSyncErrorCode?: string;
  results: RemoteResult[];
}

/** Finds a remote registry by its address or name. @throws Error with the candidates, unless exactly one matches */
export async function findRemote(api: AdminApi, nameOrUrl: string): Promise<Remote> {
  const { results } = await api.request<{ results: Remote[] }>('GET', '/remote-registries');
  const matches = results.filter(({ _id, name }) => _id === nameOrUrl.replace(/\/+$/, '') || name === nameOrUrl);
  if (matches.length === 1 && matches[0]) return matches[0];
  if (matches.length > 1) {
    const addresses = matches.map(({ _id }) => _id).join(' or ');
    throw new Error(`${matches.length} remote registries are called ${nameOrUrl}: use the address, ${addresses}`);
  }
  const known = results.map(({ name, _id }) => `${name} (${_id})`).join(', ');
  throw new Error(
    results.length === 0
      ? 'there are no remote registries: add one with berth remotes add'
      : `unknown remote registry ${nameOrUrl}: expected one of ${known}`,
  );
}

/** Makes the path of a route below one remote registry. */
export function remotePath({ _id }: Pick<Remote, '_id'>, ...parts: string[]): string {
  return ['/remote-registries', ...[_id, ...parts].map(encodeURIComponent)].join('/');
}

/** Reads the key of a remote registry from the environment, else from standard input unless that is a terminal. */
export async function readRemoteKey(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const piped = async () => (process.stdin.isTTY ? undefined : cleanKey(await text(process.stdin), 'the key'));
  return (readKey('BERTH_REMOTE_KEY', env) ?? (await piped())) || undefined;
}

/** Tells a pattern from an ID. */
export function isPattern(word: string): boolean {
  return word.includes('*') || word.startsWith('category:');
}

/** Formats a time of the API to the minute, in UTC. */
export function formatTime(time: string | undefined): string {
  return time?.slice(0, 16).replace('T', ' ') ?? '-';
}
