// The parts of the lists of files, see file-index.ts.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import type { DialectName, Executor, Tx } from '../db/index.ts';

/** Parts in one statement: a megabyte, for which SQLite takes some milliseconds, and everybody waits for it. */
const PARTS_AT_ONCE = 8;

/** Puts a list in the place of the one that is there. */
export async function putFileIndex(tx: Executor | Tx, digest: string, parts: readonly string[]): Promise<void> {
  await tx.deleteFrom('file_index_parts').where('digest', '=', digest).execute();
  const rows = parts.map((entries, part) => ({ digest, part, entries }));
  for (let at = 0; at < rows.length; at += PARTS_AT_ONCE) {
    if (at > 0) await nextTurn();
    await tx
      .insertInto('file_index_parts')
      .values(rows.slice(at, at + PARTS_AT_ONCE))
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
    /** Yields all parts in their order. @throws Error when the tarball is removed meanwhile: half a list is none */
    async *read(digest: string): AsyncGenerator<string> {
      const count = await countParts(digest);
      for (let start = 0; start < count; start += PARTS_AT_ONCE) {
        const end = Math.min(start + PARTS_AT_ONCE, count);
        const rows = await selectParts(digest, start, end).orderBy('part').execute();
        if (rows.length < end - start) throw new Error(`${digest} was removed while its files were listed`);
        for (const { entries } of rows) {
          yield entries;
          await nextTurn();
        }
      }
    },

    /** Yields the parts that hold a text, the last one first. */
    async *search(digest: string, text: string): AsyncGenerator<string> {
      const find = dialect === 'postgres' ? sql.ref('strpos') : sql.ref('instr');
      for (let end = await countParts(digest); end > 0; end -= PARTS_AT_ONCE) {
        const rows = await selectParts(digest, end - PARTS_AT_ONCE, end)
          .where(sql<number>`${find}(entries, ${text})`, '>', 0)
          .orderBy('part', 'desc')
          .execute();
        for (const { entries } of rows) yield entries;
        await nextTurn();
      }
    },
  };
}
