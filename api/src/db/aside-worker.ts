// The thread of aside.ts: runs queries on a read-only connection, one after another.

import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

export interface AsideQuery {
  id: number;
  sql: string;
  parameters: SQLInputValue[];
}

export interface AsideAnswer {
  id: number;
  rows?: unknown[];
  /** The fields by which errors.ts tells errors apart. */
  error?: { message: string; code: unknown; errcode: unknown };
}

/** As for the other connections. */
const BUSY_TIMEOUT_MS = 10_000;

const database = new DatabaseSync(workerData as string, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
database.exec('pragma temp_store = memory');

parentPort?.on('message', ({ id, sql, parameters }: AsideQuery) => {
  parentPort?.postMessage(answer(id, sql, parameters));
});

function answer(id: number, sql: string, parameters: SQLInputValue[]): AsideAnswer {
  try {
    return { id, rows: database.prepare(sql).all(...parameters) };
  } catch (error) {
    const { message, code, errcode } = error as Error & { code?: unknown; errcode?: unknown };
    return { id, error: { message, code, errcode } };
  }
}
