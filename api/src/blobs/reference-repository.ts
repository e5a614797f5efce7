// Who refers to a blob: the slots of artefacts. Whatever keeps bytes, counts them or names their owners asks here.

import { sql, type RawBuilder } from 'kysely';
import type { Executor, Tx } from '../db/index.ts';

/** A slot that refers to a blob. `architecture` is empty for a file artefact, which has a single slot. */
export interface SlotOfBlob {
  id: string;
  architecture: string;
}

/** A condition: something refers to the blob whose digest a column has. @param digest `blobs.digest` */
export function isReferredTo(digest: string): RawBuilder<boolean> {
  return sql<boolean>`exists (select 1 from slots where slots.digest = ${sql.ref(digest)})`;
}

export function referenceRepository(executor: Executor | Tx) {
  return {
    /** Lists the slots that refer to blobs, by digest. */
    async listSlots(digests: readonly string[]): Promise<Map<string, SlotOfBlob[]>> {
      if (digests.length === 0) return new Map();
      const rows = await executor
        .selectFrom('slots')
        .select(['digest', 'artefact_id as id', 'architecture'])
        .where('digest', 'in', digests)
        .orderBy('artefact_id')
        .orderBy('architecture')
        .execute();
      const slots = new Map<string, SlotOfBlob[]>();
      for (const { digest, id, architecture } of rows)
        slots.set(digest, [...(slots.get(digest) ?? []), { id, architecture }]);
      return slots;
    },

    /** Lists the artefacts that refer to a blob. */
    async listArtefacts(digest: string): Promise<string[]> {
      const slots = (await this.listSlots([digest])).get(digest) ?? [];
      return [...new Set(slots.map(({ id }) => id))];
    },

    /** Sums up what slots with equal bytes would need in addition if each had its own copy. */
    async sharedBytes(): Promise<number> {
      const repeated = executor
        .selectFrom('slots')
        .select(['digest', 'size', ({ fn }) => fn.countAll<number>().as('count')])
        .groupBy(['digest', 'size'])
        .having(({ fn }) => fn.countAll(), '>', 1)
        .as('repeated');
      const { size } = await executor
        .selectFrom(repeated)
        .select((eb) => eb.fn.sum<number | null>(eb('size', '*', eb.parens(eb('count', '-', 1)))).as('size'))
        .executeTakeFirstOrThrow();
      // PostgreSQL sums int8 as numeric, which arrives as text.
      return Number(size ?? 0);
    },
  };
}
