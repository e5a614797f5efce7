import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SYSTEM_ACTOR } from '../../src/access/index.ts';
import type { Artefact, Slot } from '../../src/artefacts/artefact.ts';
import { createMirroring, type MirroredArtefact } from '../../src/artefacts/mirroring.ts';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import type { Database, DialectName } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';
import { sampleArtefact, sampleSlot } from './samples.ts';

const ORIGIN = 'https://registry.example';
const NOW = Date.parse('2026-03-01T00:00:00.000Z');
const LATER = '2026-02-01T00:00:00.000Z';
const DIGESTS = ['a', 'b', 'c'].map((digit) => `sha256:${digit.repeat(64)}` as const);

/** Existing mirrors. INCOMING changes their date and, in this order: bytes; title and slots; format; fewer slots. */
const EXISTING: [Partial<Artefact>, Slot[]][] = [
  [{ id: 'dated' }, [sampleSlot()]],
  [{ id: 'renamed', privateAccess: [{ type: 'user', id: 'ada', name: 'Ada' }] }, [sampleSlot()]],
  [
    { id: 'reformatted', public: true, privateAccess: [{ type: 'organization', id: 'acme', department: 'maps' }] },
    [sampleSlot(), sampleSlot({ architecture: 'x64' })],
  ],
  [
    { id: 'smaller', public: true },
    [sampleSlot(), sampleSlot({ architecture: 'arm64' }), sampleSlot({ architecture: 'x64' })],
  ],
];
const INCOMING: MirroredArtefact[] = [
  incoming({ id: 'dated' }, [sampleSlot({ digest: DIGESTS[1]! })]),
  incoming({ id: 'renamed', title: { en: 'Another' } }, [
    sampleSlot({ digest: DIGESTS[1]! }),
    sampleSlot({ architecture: 'x64', digest: DIGESTS[2]! }),
  ]),
  incoming({ id: 'reformatted', format: 'file', category: 'tileset', packageName: undefined }, [
    sampleSlot({ architecture: '', fileName: 'world.pmtiles' }),
  ]),
  incoming({ id: 'smaller' }, [sampleSlot({ architecture: 'x64', digest: DIGESTS[1]! })]),
  incoming({ id: 'new' }, [sampleSlot()]),
];

function incoming(changes: Partial<Artefact>, slots: Slot[]): MirroredArtefact {
  const {
    public: isPublic,
    privateAccess,
    createdAt,
    updatedAt,
    uploadedBy,
    lastModifiedSeconds,
    ...copied
  } = sampleArtefact({ dataUpdatedAt: LATER, ...changes });
  return {
    fields: {
      ...copied,
      origin: ORIGIN,
    },
    slots,
  };
}

async function withExistingMirrors(dialect: DialectName, use: (database: Database) => Promise<void>): Promise<void> {
  const { database, close } = await openTestDatabase(dialect);
  try {
    await database.db
      .insertInto('blobs')
      .values(DIGESTS.map((digest) => ({ digest, storage_key: digest, size: 100, state: 'sound', created_at: LATER })))
      .execute();
    await database.transaction(async (tx) => {
      const artefacts = artefactRepository(tx);
      for (const [changes, slots] of EXISTING) {
        const artefact = sampleArtefact({ origin: ORIGIN, ...changes });
        await artefacts.insert(artefact, renderDocuments(artefact, slots));
        for (const slot of slots) await artefacts.putSlot(artefact.id, slot);
        await artefacts.putPrivateAccess(artefact.id, artefact.privateAccess);
      }
    });
    await use(database);
  } finally {
    await close();
  }
}

/** Reads all rows about artefacts, without their insertion order. */
async function stateOf({ db }: Database) {
  const rows = (table: 'artefact_documents' | 'slots' | 'artefact_access') =>
    db
      .selectFrom(table)
      .selectAll()
      .execute()
      .then((all) => all.map((row) => JSON.stringify(row)).sort());
  const index = (await db.selectFrom('artefacts').selectAll().orderBy('id').execute()).map((row) => ({
    ...row,
    seq: 0,
  }));
  const audit = (await db.selectFrom('audit_events').select(['action', 'target_id', 'details']).execute())
    .map((row) => JSON.stringify(row))
    .sort();
  return {
    index,
    documents: await rows('artefact_documents'),
    slots: await rows('slots'),
    access: await rows('artefact_access'),
    audit,
  };
}

for (const dialect of DIALECTS) {
  test(`a mirror becomes what its origin has, and keeps its local access, on ${dialect}`, async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: NOW });
    await withExistingMirrors(dialect, async (database) => {
      const mirroring = createMirroring({ database });
      const previous = new Map<string, Artefact | undefined>();
      for (const mirror of INCOMING)
        previous.set(mirror.fields.id, await database.transaction((tx) => mirroring.commit(tx, SYSTEM_ACTOR, mirror)));
      assert.deepEqual(
        [...previous]
          .filter(([, artefact]) => artefact)
          .map(([id]) => id)
          .sort(),
        ['dated', 'reformatted', 'renamed', 'smaller'],
      );
      assert.deepEqual(previous.get('renamed')?.privateAccess, [{ type: 'user', id: 'ada', name: 'Ada' }]);
      const { index, slots, access, audit } = await stateOf(database);
      assert.deepEqual(
        index.map(({ id, format, public: isPublic, data_updated_at }) => [id, format, isPublic, data_updated_at]),
        [
          ['dated', 'npm', 0, LATER],
          ['new', 'npm', 0, LATER],
          ['reformatted', 'file', 1, LATER],
          ['renamed', 'npm', 0, LATER],
          ['smaller', 'npm', 1, LATER],
        ],
      );
      const rows = slots.map(
        (row) => JSON.parse(row) as { artefact_id: string; architecture: string; digest: string },
      );
      assert.deepEqual(
        rows
          .map(
            ({ artefact_id, architecture, digest }) =>
              `${artefact_id} ${architecture} ${DIGESTS.findIndex((it) => it === digest)}`,
          )
          .sort(),
        ['dated noarch 1', 'new noarch 0', 'reformatted  0', 'renamed noarch 1', 'renamed x64 2', 'smaller x64 1'],
      );
      assert.equal(access.length, 2);
      assert.equal(audit.length, INCOMING.length);
    });
  });

  test(`an artefact with the same id that is not a mirror is left unchanged, on ${dialect}`, async () => {
    await withExistingMirrors(dialect, async (database) => {
      const stored = (await artefactRepository(database.db).find('smaller'))!;
      const local = { ...stored.artefact, origin: undefined };
      await database.transaction((tx) => artefactRepository(tx).update(local, renderDocuments(local, stored.slots)));
      const before = await stateOf(database);
      const mirror = INCOMING.find(({ fields }) => fields.id === 'smaller')!;
      await assert.rejects(
        database.transaction((tx) => createMirroring({ database }).commit(tx, SYSTEM_ACTOR, mirror)),
        { code: 'mirrored' },
      );
      assert.deepEqual(await stateOf(database), before);
    });
  });
}
