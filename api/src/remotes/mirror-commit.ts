// Mirrors that are here whole, swapped in together with others: one flush to the disk, and each statement over all of them.

import type { Actor } from '../access/index.ts';
import type { MirroredArtefact, Mirroring } from '../artefacts/index.ts';
import { groupCommits, type Database, type Tx } from '../db/index.ts';
import type { ThumbnailImage, ThumbnailService } from '../thumbnails/index.ts';
import { fetchRepository } from './fetch-repository.ts';
import type { Remote } from './remote.ts';
import type { ResultChanges } from './repository.ts';

/** What all commits of a run have in common. */
export interface CommittingRun {
  remote: Pick<Remote, 'id'>;
  actor: Actor;
  /** Opens a commit: refuses when another replica has taken over. */
  assertHeld: (tx: Tx) => Promise<void>;
  /** Ends a commit with its results, by id: refuses when nobody wants one of the artefacts any more. */
  note: (tx: Tx, results: ReadonlyMap<string, ResultChanges>) => Promise<void>;
}

export interface WholeMirror extends MirroredArtefact {
  run: CommittingRun;
  image: (ThumbnailImage & { id: string }) | undefined;
  /** Whether something of the artefact may be noted as begun. */
  isNoted: boolean;
  result: ResultChanges;
}

export interface MirrorCommitOptions {
  database: Pick<Database, 'transaction'>;
  mirroring: Pick<Mirroring, 'commit'>;
  thumbnails: Pick<ThumbnailService, 'mirror'>;
}

/** Makes the function that swaps in a mirror with its result, or throws and leaves everything as it was. */
export function createMirrorCommit({ database, mirroring, thumbnails }: MirrorCommitOptions): (whole: WholeMirror) => Promise<void> {
  async function commitOf(tx: Tx, { remote, actor, assertHeld, note }: CommittingRun, wholes: readonly WholeMirror[]): Promise<void> {
    await assertHeld(tx);
    const previous = await mirroring.commit(tx, actor, wholes);
    for (const { fields: { id }, image } of wholes) {
      if (image || previous.get(id)?.thumbnail) await thumbnails.mirror(tx, id, image);
    }
    const noted = wholes.flatMap(({ isNoted, fields }) => (isNoted ? [fields.id] : []));
    if (noted.length > 0) await fetchRepository(tx).removeOf(remote.id, noted);
    await note(tx, new Map(wholes.map(({ fields, result }) => [fields.id, result])));
  }

  return groupCommits<WholeMirror>({
    database,
    async commitAll(tx, wholes) {
      for (const [run, ofRun] of Map.groupBy(wholes, ({ run }) => run)) await commitOf(tx, run, ofRun);
    },
  });
}
