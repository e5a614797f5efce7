// `berth remotes sync`: a synchronisation by hand, watched to its end.

import { setTimeout as sleep } from 'node:timers/promises';
import { openAdminApi, RefusedError, type AdminApi } from './admin.ts';
import { ABOUT_SESSION, ADMIN_OPTIONS, ADMIN_TEXTS, CLIENT_TEXTS } from './client.ts';
import { defineCommand } from './command.ts';
import { formatBytes, plural } from './format.ts';
import { print, runInterruptibly } from './interruptible.ts';
import { warn } from './operation.ts';
import type { Progress } from './progress.ts';
import { findRemote, remotePath, type Remote } from './remote.ts';
import { formatResults } from './remotes-registries.ts';

const POLL_MS = 300;
/** What tells whoever waits nothing new: the rest is as it was. */
const QUIET = ['unchanged', 'pending'];

export const sync = defineCommand({
  summary: 'fetch what has changed, now',
  usage: 'remotes sync REMOTE [--failed] [--verify] [--confirm] [--detach] [--url URL] [--json] [--quiet]',
  description: `Compares all selected artefacts with the remote registry, fetches what has changed, and waits for the end, after that of one
that runs already. The exit status is 1 when an artefact failed. Ctrl-C ends the waiting, not the synchronisation.\n\n${ABOUT_SESSION}`,
  options: {
    ...ADMIN_OPTIONS,
    failed: { type: 'boolean' },
    verify: { type: 'boolean' },
    confirm: { type: 'boolean' },
    detach: { type: 'boolean' },
    quiet: { type: 'boolean' },
  },
  optionTexts: {
    failed: 'only those that failed',
    verify: 'read the local bytes back, compare every digest, and heal',
    confirm: 'go on although the remote has lost more than half of what it had',
    detach: 'do not wait for the end',
    ...ADMIN_TEXTS,
    quiet: CLIENT_TEXTS.quiet,
  },
  examples: {
    'berth remotes sync staging': 'and see what comes',
    'berth remotes sync staging --failed': 'once the disk has room again',
  },
  parameters: ['REMOTE'],
  async run(
    { failed = false, verify = false, confirm = false, detach = false, quiet = false, json = false, url },
    word = '',
  ) {
    const api = openAdminApi({ url });
    const remote = await findRemote(api, word);
    const query = new URLSearchParams({
      ...(failed && { only: 'failed' }),
      ...(verify && { verify: 'true' }),
      ...(confirm && { confirm: 'true' }),
    }).toString();
    const path = `${remotePath(remote, 'sync')}${query && `?${query}`}`;
    if (detach) {
      const begun = await api.ask<Remote>('POST', path);
      return print(
        json
          ? JSON.stringify(begun)
          : `${begun.name} is being synchronised; berth remotes show ${begun.name} tells how it goes.`,
      );
    }
    const ended = await runInterruptibly({
      name: 'remotes sync',
      isQuiet: quiet,
      interruption: `no longer watched; berth remotes show ${remote.name} tells how it goes`,
      work: async ({ onProgress, signal }) => {
        const watch = (isOver: (present: Remote) => boolean) =>
          watchUntil(isOver, { api, remote, onProgress, signal });
        for (;;) {
          // What runs already may compare a part of what is selected.
          const { lastSyncAt } = await watch((present) => present.syncState !== 'running');
          if (await begin(api, path))
            return watch((present) => present.syncState === 'idle' && present.lastSyncAt !== lastSyncAt);
        }
      },
    });
    return tell(ended, json);
  },
});

/** False when a run has begun by itself a moment before. */
async function begin(api: AdminApi, path: string): Promise<boolean> {
  try {
    await api.ask('POST', path);
    return true;
  } catch (error) {
    if (error instanceof RefusedError && error.code === 'sync_running') return false;
    throw error;
  }
}

interface Watching {
  api: AdminApi;
  remote: Remote;
  onProgress: (progress: Progress) => void;
  signal: AbortSignal;
}

/** Asks again and again, whichever replica runs it; another one takes over from one that died. */
async function watchUntil(
  isOver: (present: Remote) => boolean,
  { api, remote, onProgress, signal }: Watching,
): Promise<Remote> {
  for (;;) {
    const present = await api.ask<Remote>('GET', remotePath(remote));
    if (isOver(present)) return present;
    const { done = 0, total, currentArtefact, bytesDone, bytesTotal } = present.syncProgress ?? {};
    onProgress({ phase: currentArtefact ?? 'compare', done, total, bytesDone, bytesTotal });
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

function tell(remote: Remote, asJson: boolean): 1 | undefined {
  const { results, lastSyncStatus, lastSyncError, name } = remote;
  const count = (status: string) => results.filter((result) => result.status === status).length;
  const updated = results.filter(({ status }) => status === 'updated');
  const news = results.filter(({ status }) => !QUIET.includes(status));
  if (asJson) print(JSON.stringify(remote));
  else {
    if (news.length > 0) print(`${formatResults(news)}\n`);
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
