// The outbox on a database of its own: writers, transactions that a test ends, and readers.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { SYSTEM_ACTOR, type Actor } from '../../src/access/index.ts';
import type { Database, DialectName, Executor, Tx } from '../../src/db/index.ts';
import { createEvents, recordChange, type Events } from '../../src/events/index.ts';
import { eventually } from '../support/eventually.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';

/** How long other tests of this run may hold events back, with transactions on the same PostgreSQL server. */
export const HELD_MS = 60_000;

export const ACTOR: Actor = { caller: { kind: 'internal' }, ip: '', requestId: '' };

export interface OutboxPage {
  /** Subjects of its events. */
  subjects: string[];
  next: string;
}

export interface Outbox {
  opened: TestDatabase;
  database: Database;
  events: Events;
  errors: unknown[];
  page: (after: string, size?: number) => Promise<OutboxPage>;
}

export interface OutboxFollower {
  /** Subjects of the events so far. */
  received: string[];
  stop(): Promise<void>;
}

export async function withOutbox(dialect: DialectName, work: (outbox: Outbox) => Promise<void>): Promise<void> {
  const opened = await openTestDatabase(dialect);
  const { database } = opened;
  const errors: unknown[] = [];
  const options = { database, publicUrl: 'http://localhost', retentionDays: 30 };
  const events = createEvents({ ...options, onError: (error) => errors.push(error) });
  const page: Outbox['page'] = async (after, size) => {
    const { results, next } = JSON.parse(
      await events.list(ACTOR.caller, { after, ...(size !== undefined && { size }) }),
    ) as {
      results: { subject: string }[];
      next: string;
    };
    return { subjects: results.map(({ subject }) => subject), next };
  };
  try {
    await work({ opened, database, events, errors, page });
  } finally {
    await events.close();
    await opened.close();
  }
}

/** Writes one event for each subject. */
export function write(executor: Executor, ...subjects: string[]): Promise<void> {
  return recordChange(executor, SYSTEM_ACTOR, {
    action: 'test',
    targetType: 'artefact',
    targetId: '',
    events: subjects.map((subject) => ({ type: 'artefact.deleted', subject, data: { format: 'npm' } })),
  });
}

/** Begins a transaction that stays open until a test ends it. */
export function beginTransaction(database: Database) {
  const [started, proceed] = [Promise.withResolvers<Tx>(), Promise.withResolvers<boolean>()];
  const rolledBack = new Error('rolled back');
  const done = database
    .transaction(async (tx) => {
      started.resolve(tx);
      if (!(await proceed.promise)) throw rolledBack;
    })
    .catch((error: unknown) => {
      if (error !== rolledBack) throw error;
    });
  const end = async (commits: boolean) => {
    proceed.resolve(commits);
    await done;
  };
  return { tx: started.promise, commit: () => end(true), rollBack: () => end(false) };
}

export async function startFollower(events: Events, after: string): Promise<OutboxFollower> {
  const abort = new AbortController();
  const follower = await events.follow(ACTOR, { after }, undefined);
  const received: string[] = [];
  const read = async () => {
    for await (const { events: part } of follower.parts(abort.signal))
      received.push(...part.map(({ json }) => (JSON.parse(json) as { subject: string }).subject));
  };
  const ended = read();
  return {
    received,
    async stop() {
      abort.abort();
      await ended;
    },
  };
}

/**
 * Writes changes of one to three events; a fifth of them is rolled back. Each transaction is open for some time.
 * @returns the subjects that were committed
 */
export async function runWriter(database: Database, name: string, changes: number): Promise<string[]> {
  const committed: string[] = [];
  for (let at = 0; at < changes; at++) {
    const subjects = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, (_, n) => `${name}-${at}-${n}`);
    const transaction = beginTransaction(database);
    const tx = await transaction.tx;
    for (const subject of subjects) {
      await write(tx, subject);
      for (let turns = Math.floor(Math.random() * 20); turns > 0; turns--) await nextTurn();
    }
    if (Math.random() < 0.2) await transaction.rollBack();
    else {
      await transaction.commit();
      committed.push(...subjects);
    }
    await nextTurn();
  }
  return committed;
}

/** `runWriter` in a process of its own. */
export async function runWriterProcess(url: string, name: string, changes: number): Promise<string[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writer-child.ts'), url, name, `${changes}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(await text(child.stdout)) as string[];
}

/** Waits until all committed events can be read: other tests have transactions open on the same PostgreSQL server. */
export async function untilReadable({ db, dialect }: Database): Promise<void> {
  if (dialect === 'sqlite') return;
  await eventually(async () => {
    const { rows } = await sql<{ held: boolean }>`
      select exists (select 1 from events where tx_id >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint) as held
    `.execute(db);
    assert.deepEqual(rows, [{ held: false }]);
  }, HELD_MS);
}
