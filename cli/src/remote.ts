// A remote registry as the API shows it, and what the commands about it have in common.

import { text } from 'node:stream/consumers';
import type { AdminApi } from './admin.ts';

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

export interface Remote {
  /** Base URL. */
  _id: string;
  name: string;
  apiKeyShortId?: string;
  /** Cron expression in UTC; null: only by hand. */
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

/** Finds a remote registry by its address or its name. @throws Error that names those that there are */
export async function findRemote(api: AdminApi, word: string): Promise<Remote> {
  const { results } = await api.ask<{ results: Remote[] }>('GET', '/remote-registries');
  const found = results.filter(({ _id, name }) => _id === word.replace(/\/+$/, '') || name === word);
  if (found.length === 1 && found[0]) return found[0];
  if (found.length > 1)
    throw new Error(
      `${found.length} remote registries are called ${word}: give the address of ` +
        `one, ${found.map(({ _id }) => _id).join(' or ')}`,
    );
  throw new Error(
    results.length === 0
      ? 'there are no remote registries: berth remotes add brings one in'
      : `there is no remote registry ${word}: there ` +
          `are ${results.map(({ name, _id }) => `${name} (${_id})`).join(', ')}`,
  );
}

/** Path of the routes of one. */
export function remotePath({ _id }: Pick<Remote, '_id'>, ...parts: string[]): string {
  return ['/remote-registries', ...[_id, ...parts].map(encodeURIComponent)].join('/');
}

/**
 * The key of a remote registry: from the environment, else what the standard input brings, as long as that is no
 * terminal.
 */
export async function givenRemoteKey(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const key = env['BERTH_REMOTE_KEY'] ?? (process.stdin.isTTY ? '' : (await text(process.stdin)).trim());
  return key === '' ? undefined : key;
}

/** A pattern in place of an id. */
export function isPattern(word: string): boolean {
  return word.includes('*') || word.startsWith('category:');
}

/** Of the API's times, to the minute. */
export function formatTime(time: string | undefined): string {
  return time?.slice(0, 16).replace('T', ' ') ?? '-';
}
