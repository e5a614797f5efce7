// The contract tests of storage drivers, run once for each driver; contract/ holds the cases by subject.

import { describe, test } from 'node:test';
import type { BlobStoreFixture, DefineCase } from './contract/fixture.ts';
import { describeKeeping } from './contract/keeping-cases.ts';
import { describeKeys } from './contract/key-cases.ts';
import { describeReading } from './contract/reading-cases.ts';
import { describeResuming } from './contract/resuming-cases.ts';
import { describeSizes } from './contract/size-cases.ts';
import { describeWriting } from './contract/writing-cases.ts';

const SUBJECTS = {
  writing: describeWriting,
  reading: describeReading,
  resuming: describeResuming,
  sizes: describeSizes,
  keeping: describeKeeping,
  keys: describeKeys,
};

export type Subject = keyof typeof SUBJECTS;

/** The two halves of the contract, for a driver whose slow tests are split into two files. */
export const WRITING: readonly Subject[] = ['writing', 'resuming', 'sizes'];
export const READING: readonly Subject[] = ['reading', 'keeping', 'keys'];

/**
 * Defines the tests of the `BlobStore` interface for one driver.
 *
 * @param name of the driver, `'fs'`
 * @param makeStore called for each case; the case removes its fixture at the end
 * @param subjects default all of them
 */
export function describeBlobStore(
  name: string,
  makeStore: () => Promise<BlobStoreFixture>,
  subjects: readonly Subject[] = [...WRITING, ...READING],
): void {
  const defineCase: DefineCase = (behaviour, run) => {
    test(behaviour, async (t) => {
      const fixture = await makeStore();
      t.after(() => fixture.remove());
      await run(await fixture.open(), fixture);
    });
  };

  for (const subject of subjects)
    describe(`${name} store: ${subject}`, () => {
      SUBJECTS[subject](defineCase);
    });
}
