// Stores and reads the parts of file indexes (file-index.ts).

import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { sql } from 'kysely';
import type { DialectName, Executor, Tx } from '../db/index.ts';

/** Parts per statement: about 1 MB, for which SQLite blocks the event loop for some milliseconds. */
const PARTS_PER_STATEMENT = 8;

/** Inserts or replaces the index of a tarball. */
export async function putFileIndex(tx: Executor | Tx, digest: string, parts: readonly string[]): Promise<void> {
  await tx.deleteFrom('file_index_parts').where('digest', '=', digest).execute();
  const rows = parts.map((entries, part) => ({ digest, part, entries }));
  for (let at = 0; at < rows.length; at += PARTS_PER_STATEMENT) {
    if (at > 0) await yieldToEventLoop();
    await tx
      .insertInto('file_index_parts')
      .values(rows.slice(at, at + PARTS_PER_STATEMENT))
      .execute();
  }
}

export function fileIndexRepository(executor: Executor, dialect: DialectName) {
  async function countParts(digest: string): Promise<number> {
    const row = await executor
      .selectFrom('file_index_parts')
      .select((eb) => eb.fn.max('part').as('last'))
      .where('digest', '=', digest)
      .executeTakeFirst();
    return (row?.last ?? -1) + 1;
  }

  function selectParts(digest: string, start: number, end: number) {
    return executor
      .selectFrom('file_index_parts')
      .select('entries')
      .where('digest', '=', digest)
      .where('part', '>=', start)
      .where('part', '<', end);
  }

  return {
    /** Yields all parts in order. @throws Error if the tarball is removed meanwhile, rather than end early */
    async *read(digest: string): AsyncGenerator<string> {
      const count = await countParts(digest);
      for (let start = 0; start < count; start += PARTS_PER_STATEMENT) {
        const end = Math.min(start + PARTS_PER_STATEMENT, count);
        const rows = await selectParts(digest, start, end).orderBy('part').execute();
        if (rows.length < end - start) throw new Error(`${digest} was removed while its files were listed`);
        for (const { entries } of rows) {
          yield entries;
          await yieldToEventLoop();
        }
      }
    },

    /** Yields the parts that contain a text, the last one first. */
    async *search(digest: string, text: string): AsyncGenerator<string> {
      const find = dialect === 'postgres' ? sql.ref('strpos') : sql.ref('instr');
      for (let end = await countParts(digest); end > 0; end -= PARTS_PER_STATEMENT) {
        const rows = await selectParts(digest, end - PARTS_PER_STATEMENT, end)
          .where(sql<number>`${find}(entries, ${text})`, '>', 0)
          .orderBy('part', 'desc')
          .execute();
        for (const { entries } of rows) yield entries;
        await yieldToEventLoop();
      }
    },
  };
}
