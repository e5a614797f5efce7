// Keeps two servers from using one embedded database. Commands such as `berth backup` may use it beside a server.
//
// The lock is that of a small SQLite file of its own: the kernel releases it when its process ends, however it ends,
// and it holds between containers that share the folder. Readers are not locked out, so the file says who has it.

import { hostname } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPrivateFile } from './sqlite.ts';

export interface ServerLock {
  close(): Promise<void>;
}

const RETRY_MS = 200;
/** https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

/**
 * Takes the lock, waiting for a server that is just ending.
 * @param waitMs how long
 * @returns the lock, or who has it, such as `process 71 on web-1, since 2026-12-01T08:00:00.000Z`
 * @throws SQLite's error when the file cannot be opened
 */
export async function takeServerLock(file: string, waitMs: number): Promise<ServerLock | { heldBy: string }> {
  createPrivateFile(file);
  const database = new DatabaseSync(file);
  const release = async () => {
    // Ends the transaction, too.
    if (database.isOpen) database.close();
  };
  try {
    for (const deadline = performance.now() + waitMs; ;) {
      if (lock(database)) return { close: release };
      if (performance.now() > deadline) break;
      await sleep(RETRY_MS);
    }
    const heldBy = holderOf(database);
    await release();
    return { heldBy };
  } catch (error) {
    await release();
    throw error;
  }
}

function lock(database: DatabaseSync): boolean {
  if (!begin(database)) return false;
  try {
    database.exec('create table if not exists holder (id integer primary key, text text not null)');
    const text = `process ${process.pid} on ${hostname()}, since ${new Date().toISOString()}`;
    database.prepare('insert or replace into holder (id, text) values (1, ?)').run(text);
    database.exec('commit');
  } catch {
    // On a full disk, it holds nevertheless.
    if (database.isTransaction) return true;
  }
  return begin(database);
}

/** Begins the transaction that is the lock. */
function begin(database: DatabaseSync): boolean {
  try {
    database.exec('begin immediate');
    return true;
  } catch (error) {
    // The remaining bits say more about the reason.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) return false;
    throw error;
  }
}

function holderOf(database: DatabaseSync): string {
  try {
    const row = database.prepare('select text from holder').get() as { text: string } | undefined;
    return row?.text ?? 'another process';
  } catch {
    return 'another process';
  }
}
