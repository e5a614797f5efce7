import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Actor } from '../../src/access/index.ts';
import { createMirroring } from '../../src/artefacts/mirroring.ts';
import { createMirrorCommit, type CommittingRun, type WholeMirror } from '../../src/remotes/mirror-commit.ts';
import { remoteRepository } from '../../src/remotes/repository.ts';
import { thumbnailRepository } from '../../src/thumbnails/repository.ts';
import { sampleArtefact, sampleSlot } from '../artefacts/samples.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

const ORIGIN = 'https://registry.example';
const OTHER_ORIGIN = 'https://other.example';
const ACTOR: Actor = { caller: { kind: 'internal' }, ip: '', requestId: '' };

for (const dialect of DIALECTS) {
  test(`mirrors of several runs are swapped in together, and one that nobody wants any more keeps no other away, on ${dialect}`, async () => {
    const { database, close } = await openTestDatabase(dialect);
    try {
      const { digest } = sampleSlot();
      const transactions: number[] = [];
      await database.db.insertInto('blobs').values({ digest, storage_key: digest, size: 100, state: 'sound', created_at: '' }).execute();
      const rows = remoteRepository(database.db);
      for (const id of [ORIGIN, OTHER_ORIGIN]) await rows.insert({ id, name: id, api_key: null, api_key_short_id: null, schedule: null, selected_patterns: '[]', next_full_at: null });
      await rows.select(ORIGIN, ['chosen', 'found'], false);
      await rows.select(OTHER_ORIGIN, ['other'], true);
      await rows.put(ORIGIN, 'chosen', { status: 'failed', reason: 'It was away.', attempts: 3 });

      const commit = createMirrorCommit({
        database: {
          transaction(work) {
            transactions.push(1);
            return database.transaction(work);
          },
        },
        mirroring: createMirroring({ database }),
        thumbnails: { mirror: async (tx, artefactId) => thumbnailRepository(tx).deleteOf(artefactId) },
      });
      const runOf = (id: string): CommittingRun => ({
        remote: { id }, actor: ACTOR,
        assertHeld: async (tx) => { await remoteRepository(tx).lock(id); },
        async note(tx, results) { if (!await remoteRepository(tx).putMany(id, results)) throw new Error('nobody wants it'); },
      });
      const [run, otherRun] = [runOf(ORIGIN), runOf(OTHER_ORIGIN)];
      const whole = (of: CommittingRun, id: string, bytes: number): WholeMirror => ({
        run: of, slots: [sampleSlot()], image: undefined, isNoted: false,
        fields: { ...sampleArtefact({ id }), thumbnail: undefined, origin: of.remote.id },
        result: { status: 'updated', at: '2026-03-01T00:00:00.000Z', bytes, seconds: bytes / 1000, reason: null, attempts: 0, next_try_at: null, upstream_state: id },
      });

      const answers = await Promise.allSettled([commit(whole(run, 'chosen', 1)), commit(whole(otherRun, 'other', 2)), commit(whole(run, 'unselected', 3)), commit(whole(run, 'found', 4))]);
      assert.deepEqual(answers.map(({ status }) => status), ['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
      assert.equal(transactions.length, 1 + answers.length, 'together, and then each by itself');
      const results = [...await rows.results(ORIGIN), ...await rows.results(OTHER_ORIGIN)];
      assert.deepEqual(results.map(({ artefactId, selected, status, bytes, seconds, reason, attempts, upstreamState }) => ({ artefactId, selected, status, bytes, seconds, reason, attempts, upstreamState })), [
        { artefactId: 'chosen', selected: false, status: 'updated', bytes: 1, seconds: 0.001, reason: undefined, attempts: 0, upstreamState: 'chosen' },
        { artefactId: 'found', selected: false, status: 'updated', bytes: 4, seconds: 0.004, reason: undefined, attempts: 0, upstreamState: 'found' },
        { artefactId: 'other', selected: true, status: 'updated', bytes: 2, seconds: 0.002, reason: undefined, attempts: 0, upstreamState: 'other' },
      ]);
      assert.deepEqual((await database.db.selectFrom('artefacts').select('id').orderBy('id').execute()).map(({ id }) => id), ['chosen', 'found', 'other']);

      // All of them are wanted: one transaction for both runs.
      transactions.length = 0;
      await Promise.all([commit(whole(run, 'chosen', 5)), commit(whole(run, 'found', 6)), commit(whole(otherRun, 'other', 7))]);
      assert.equal(transactions.length, 1);
    } finally {
      await close();
    }
  });
}
