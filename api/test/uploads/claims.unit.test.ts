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
  network: '192.0.2.1',
};
/** Renewed every 60 ms. */
const CLAIM_MS = 300;

for (const dialect of DIALECTS) {
  describe(`the claim of an upload on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;
    /** The claims of one process; on SQLite there is only one at a time. */
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

    test('is held by the request that created the upload, and by the next one after its release', async () => {
      const first = await create();
      assert.equal((await row()).claim, first.claim);
      await first.release();
      await first.release();
      const second = await claims.acquire('u');
      assert.equal((await row()).claim, second.claim);
      await second.release();
      assert.equal((await row()).claim, null);
    });

    test('is held by one of several concurrent requests at a time, and by all in turn', async () => {
      await (await create()).release();
      let holders = 0;
      await Promise.all(
        Array.from({ length: 5 }, async () => {
          const claim = await claims.acquire('u');
          assert.equal(++holders, 1);
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
          holders--;
          await claim.release();
        }),
      );
    });

    test('is renewed while its holder lives, and the holder is notified of a takeover request', async () => {
      const holder = await create();
      const { promise: requested, resolve } = Promise.withResolvers<void>();
      holder.onTakeoverRequest = resolve;
      const next = claims.acquire('u');
      await requested;
      assert.equal(holder.signal.aborted, false);
      await holder.release();
      await (await next).release();
    });

    test('expires after the death of its holder, and not before', async () => {
      await (await create()).release();
      assert.ok(await uploads().claim({ id: 'u', claim: 'of a dead process' }, CLAIM_MS));
      // On SQLite a new process releases all claims of earlier ones before its first claim.
      const others = newClaims();
      if (dialect === 'postgres') {
        const diedAt = performance.now();
        await (await others.acquire('u')).release();
        assert.ok(performance.now() - diedAt > CLAIM_MS * 0.8);
      } else {
        await (await others.acquire('u')).release();
      }
    });

    test('is lost when another request holds it, and can then not be used to write', async () => {
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

    test('is given up by its holder before it expires when the database does not respond', async () => {
      const closing = await openTestDatabase(dialect);
      const holder = await createClaims({ database: closing.database, claimMs: CLAIM_MS }).create(
        'u',
        (claim, claimMs) => uploadRepository(closing.database.db, dialect).insert(UPLOAD, claim, claimMs),
      );
      const createdAt = performance.now();
      await closing.close();
      await eventually(async () => {
        assert.ok(holder.signal.aborted);
      });
      assert.ok(performance.now() - createdAt < CLAIM_MS * 3);
      await assert.rejects(holder.release());
    });

    test('is not waited for when the upload does not exist', async () => {
      await assert.rejects(claims.acquire('nothing'), { code: 'upload_not_found' });
      const holder = await create();
      const next = claims.acquire('u');
      assert.ok(await uploads().remove(holder));
      await assert.rejects(next, { code: 'upload_not_found' });
      await holder.release();
    });

    test('can be waited for until it is released', async () => {
      const own = newClaims();
      const claim = await own.create('u', (token, claimMs) => uploads().insert(UPLOAD, token, claimMs));
      let isReleased = false;
      const waiting = own.allReleased().then(() => {
        isReleased = true;
      });
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      assert.equal(isReleased, false);
      await claim.release();
      await waiting;
    });
  });

  describe(`expired uploads on ${dialect}`, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openTestDatabase(dialect);
    });
    after(() => opened.close());

    test('are removed unless they are being written', async () => {
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
