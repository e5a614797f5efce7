import type { Executor } from '../db/index.ts';

export function storageRepository(executor: Executor) {
  return {
    async totals(): Promise<{ blobs: number; storedBytes: number; sharedBytes: number; unsoundBlobs: number }> {
      const stored = await executor
        .selectFrom('blobs')
        .select(({ fn }) => [fn.countAll<number>().as('count'), fn.sum<number | null>('size').as('size')])
        .executeTakeFirstOrThrow();
      const unsound = await executor
        .selectFrom('blobs')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('state', '<>', 'sound')
        .executeTakeFirstOrThrow();
      const repeated = executor
        .selectFrom('slots')
        .select(['digest', 'size', ({ fn }) => fn.countAll<number>().as('count')])
        .groupBy(['digest', 'size'])
        .having(({ fn }) => fn.countAll(), '>', 1)
        .as('repeated');
      const shared = await executor
        .selectFrom(repeated)
        .select((eb) => eb.fn.sum<number | null>(eb('size', '*', eb.parens(eb('count', '-', 1)))).as('size'))
        .executeTakeFirstOrThrow();
      // PostgreSQL sums int8 as numeric, which arrives as text.
      return {
        blobs: stored.count,
        storedBytes: Number(stored.size ?? 0),
        sharedBytes: Number(shared.size ?? 0),
        unsoundBlobs: unsound.count,
      };
    },
  };
}
