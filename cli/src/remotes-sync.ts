// `berth remotes sync`: starts a synchronisation and waits for its result.

import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, openAdminApi, type AdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS, CLIENT_TEXTS } from './client.ts';
import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { runInterruptibly } from './interruptible.ts';
import { print, warn } from './terminal.ts';
import type { Progress } from './progress.ts';
import { findRemote, remotePath, type Remote } from './remote.ts';
import { formatResults } from './remotes-registries.ts';

const POLL_MS = 300;
/** Results that are not listed. */
const UNLISTED = ['unchanged', 'pending'];

export const sync = defineCommand({
  summary: 'synchronise a remote registry now',
  usage: 'remotes sync REMOTE [--failed] [--verify] [--confirm] [--detach] [--url URL] [--json] [--quiet]',
  description: `Compares the selected artefacts with the remote registry, downloads changes, and waits until this
is done. If a synchronisation is already running, waits for it first. The exit status is 1 if an artefact failed.
Ctrl-C stops waiting, not the synchronisation.

${ABOUT_SESSION}`,
  options: {
    ...ADMIN_OPTIONS,
    failed: { type: 'boolean' },
    verify: { type: 'boolean' },
    confirm: { type: 'boolean' },
    detach: { type: 'boolean' },
    quiet: { type: 'boolean' },
  },
  optionTexts: {
    failed: 'only artefacts that failed',
    verify: 'read the local content, compare every digest and repair what differs',
    confirm: 'continue although the remote registry lost more than half of its artefacts',
    detach: 'do not wait for the result',
    ...ADMIN_TEXTS,
    quiet: CLIENT_TEXTS.quiet,
  },
  examples: {
    'berth remotes sync staging': 'synchronise, and show the results',
    'berth remotes sync staging --failed': 'retry what failed, for example after freeing disk space',
  },
  parameters: ['REMOTE'],
  async run(
    { failed = false, verify = false, confirm = false, detach = false, quiet = false, json = false, url },
    nameOrUrl = '',
  ) {
    const api = openAdminApi({ url, json });
    const remote = await findRemote(api, nameOrUrl);
    const query = new URLSearchParams({
      ...(failed && { only: 'failed' }),
      ...(verify && { verify: 'true' }),
      ...(confirm && { confirm: 'true' }),
    }).toString();
    const path = `${remotePath(remote, 'sync')}${query && `?${query}`}`;
    if (detach) {
      const started = await api.request<Remote>('POST', path);
      return print(
        json
          ? JSON.stringify(started)
          : `Synchronising ${started.name} in the background; see berth remotes show ${started.name}.`,
      );
    }
    const finished = await runInterruptibly({
      name: 'remotes sync',
      isQuiet: quiet,
      interruption: `stopped waiting; the synchronisation continues: see berth remotes show ${remote.name}`,
      work: async ({ onProgress, signal }) => {
        // A run that has begun may cover only part of the selection.
        while (!(await startSync(api, path))) await waitUntilIdle({ api, remote, onProgress, signal });
        return waitUntilIdle({ api, remote, onProgress, signal });
      },
    });
    return report(finished, json);
  },
});

/** Requests a synchronisation; false if another one has begun. */
async function startSync(api: AdminApi, path: string): Promise<boolean> {
  try {
    await api.request('POST', path);
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'sync_running') return false;
    throw error;
  }
}

interface WaitOptions {
  api: AdminApi;
  remote: Remote;
  onProgress: (progress: Progress) => void;
  signal: AbortSignal;
}

/**
 * Polls the state until no synchronisation is due or in progress: any replica may run it, and another one takes over
 * if that one dies.
 */
async function waitUntilIdle({ api, remote, onProgress, signal }: WaitOptions): Promise<Remote> {
  for (;;) {
    const state = await api.request<Remote>('GET', remotePath(remote));
    if (state.syncState === 'idle') return state;
    const { done = 0, total, currentArtefact, bytesDone, bytesTotal } = state.syncProgress ?? {};
    onProgress({ phase: currentArtefact ?? 'compare', done, total, bytesDone, bytesTotal });
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

function report(remote: Remote, asJson: boolean): 1 | undefined {
  const { results, lastSyncStatus, lastSyncError, name } = remote;
  const count = (status: string) => results.filter((result) => result.status === status).length;
  const updated = results.filter(({ status }) => status === 'updated');
  const listed = results.filter(({ status }) => !UNLISTED.includes(status));
  if (asJson) print(JSON.stringify(remote));
  else {
    if (listed.length > 0) print(`${formatResults(listed)}\n`);
    print(
      `${name}: ${plural(updated.length, 'artefact')} updated ` +
        `(${formatBytes(updated.reduce((sum, { bytes = 0 }) => sum + bytes, 0))}), ${count('unchanged')} ` +
        `unchanged, ${count('failed')} failed.`,
    );
  }
  if (lastSyncStatus === 'success') return undefined;
  warn('remotes sync', lastSyncError ?? `${plural(count('failed'), 'artefact')} failed`);
  return 1;
}
