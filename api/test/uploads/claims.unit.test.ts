import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Database } from '../../src/db/index.ts';
import { createClaims, type Claims } from '../../src/uploads/claims.ts';
import { uploadRepository, type NewUpload } from '../../src/uploads/repository.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const UPLOAD: NewUpload = {
  id: 'u',
  storageKey: 'aa/aa',
  target: { id: 'a', format: 'file' },
  fields: {},
  sizeBytes: 10,
  createdBy: 'internal',
};
/** Beats every 60 ms. */
const CLAIM_MS = 300;

for (const dialect of DIALECTS) {
  describe(`the claim of an upload on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;
    /** Of one process; on SQLite there is only one at a time. */
    let claims: Claims;
    before(async () => {
      opened = await openTestDatabase(dialect);
      ({ database } = opened);
    });
    beforeEach(async () => {
      await database.db.deleteFrom('resumable_uploads').execute();
      claims = newClaims();
    });
    after(() => opened.close());

    const newClaims = () => createClaims({ database, claimMs: CLAIM_MS });
    const uploads = () => uploadRepository(database.db, dialect);
    const create = () => claims.create('u', (claim, claimMs) => uploads().insert(UPLOAD, claim, claimMs));
    const row = () => database.db.selectFrom('resumable_uploads').selectAll().executeTakeFirstOrThrow();

    test('is had by the request that made the upload, and by the next one once it is given back', async () => {
      const first = await create();
      assert.equal((await row()).claim, first.claim);
      await first.release();
      await first.release();
      const second = await claims.take('u');
      assert.equal((await row()).claim, second.claim);
      await second.release();
      assert.equal((await row()).claim, null);
    });

    test('is had by one of many who ask at once, and by all in turn', async () => {
      await (await create()).release();
      let holders = 0;
      await Promise.all(
        Array.from({ length: 5 }, async () => {
          const claim = await claims.take('u');
          assert.equal(++holders, 1);
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
          holders--;
          await claim.release();
        }),
      );
    });

    test('is kept for longer than it lasts while its holder lives, who hears that he is asked for it', async () => {
      const holder = await create();
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      holder.onWanted = resolve;
      const next = claims.take('u');
      await asked;
      assert.equal(holder.signal.aborted, false);
      await holder.release();
      await (await next).release();
    });

    test('passes to the next one after the death of its holder, and not before', async () => {
      await (await create()).release();
      assert.ok(await uploads().claim({ id: 'u', claim: 'of the dead' }, CLAIM_MS));
      // On SQLite all claims of earlier processes end with the first question of a new one.
      const others = newClaims();
      if (dialect === 'postgres') {
        const diedAt = performance.now();
        await (await others.take('u')).release();
        assert.ok(performance.now() - diedAt > CLAIM_MS * 0.8);
      } else {
        await (await others.take('u')).release();
      }
    });

    test('is lost when another one has it, and then nothing can be written in its name', async () => {
      const holder = await create();
      await database.db.updateTable('resumable_uploads').set({ claim: 'another' }).execute();
      await eventually(async () => {
        assert.ok(holder.signal.aborted);
      });
      assert.equal((holder.signal.reason as { code: string }).code, 'upload_locked');
      assert.equal(await uploads().publish(holder, { document: '{}', digest: 'sha256:' }), false);
      assert.equal(await uploads().beginReceiving(holder), false);
      assert.equal(await uploads().remove(holder), false);
      await holder.release();
      assert.equal((await row()).claim, 'another');
    });

    test('is given up by its holder before it ends when the database does not answer', async () => {
      const away = await openTestDatabase(dialect);
      const holder = await createClaims({ database: away.database, claimMs: CLAIM_MS }).create('u', (claim, claimMs) =>
        uploadRepository(away.database.db, dialect).insert(UPLOAD, claim, claimMs),
      );
      const takenAt = performance.now();
      await away.close();
      await eventually(async () => {
        assert.ok(holder.signal.aborted);
      });
      assert.ok(performance.now() - takenAt < CLAIM_MS * 3);
      await assert.rejects(holder.release());
    });

    test('of an upload that is gone is not waited for', async () => {
      await assert.rejects(claims.take('nothing'), { code: 'upload_not_found' });
      const holder = await create();
      const next = claims.take('u');
      assert.ok(await uploads().remove(holder));
      await assert.rejects(next, { code: 'upload_not_found' });
      await holder.release();
    });

    test('is waited for at the end of a process', async () => {
      const here = newClaims();
      const claim = await here.create('u', (name, claimMs) => uploads().insert(UPLOAD, name, claimMs));
      let settled = false;
      const settling = here.settled().then(() => {
        settled = true;
      });
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      assert.equal(settled, false);
      await claim.release();
      await settling;
    });
  });

  describe(`expired uploads on ${dialect}`, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openTestDatabase(dialect);
    });
    after(() => opened.close());

    test('are removed, but for those that somebody writes', async () => {
      const { db } = opened.database;
      const uploads = uploadRepository(db, dialect);
      for (const id of ['old', 'written', 'orphan', 'new']) {
        await uploads.insert({ ...UPLOAD, id, storageKey: `aa/${id}` }, 'c', 60_000);
        if (id !== 'new')
          await db
            .updateTable('resumable_uploads')
            .set({ expires_at: '2020-01-01T00:00:00.000Z' })
            .where('id', '=', id)
            .execute();
      }
      await uploads.release({ id: 'old', claim: 'c' });
      await db
        .updateTable('resumable_uploads')
        .set({ claimed_until: '2020-01-01T00:00:00.000Z' })
        .where('id', '=', 'orphan')
        .execute();
      assert.deepEqual([...(await uploads.removeExpired(1)), ...(await uploads.removeExpired(10))].sort(), [
        'aa/old',
        'aa/orphan',
      ]);
      assert.deepEqual(
        (await db.selectFrom('resumable_uploads').select('id').orderBy('id').execute()).map(({ id }) => id),
        ['new', 'written'],
      );
    });
  });
}
