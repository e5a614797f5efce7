// What an upload costs the database: one statement for its event, in the transaction that it has anyway.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KyselyPlugin, RootOperationNode } from 'kysely';
import type { CurrentActor } from '../../src/access/index.ts';
import { commitUpload } from '../../src/artefacts/commit.ts';
import { createArtefacts } from '../../src/artefacts/index.ts';
import { createBlobs } from '../../src/blobs/index.ts';
import { createTarballScanners } from '../../src/tarballs/index.ts';
import { makeFsStore, type FsStoreFixture } from '../blobs/fs-fixture.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { npmTarball } from '../support/tarball-builder.ts';

const ACTOR: CurrentActor = { caller: { kind: 'internal' }, ip: '', requestId: '' };
const TARGET = { id: '@acme/import-gpkg@1', format: 'npm' } as const;

/** Statements with the name of their first table, in order: `insert events`. */
function recorder(statements: string[]): KyselyPlugin {
  return {
    transformQuery({ node }) {
      statements.push(`${verbOf(node)} ${tableOf(node)}`);
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
}

const verbOf = ({ kind }: RootOperationNode) => kind.replace(/(Query)?Node$/, '').toLowerCase();

function tableOf(node: RootOperationNode): string {
  let table = '';
  JSON.stringify(node, (_key, value: { kind?: string; identifier?: { name: string } } | null) => {
    if (value?.kind === 'SchemableIdentifierNode' && table === '') table = value.identifier?.name ?? '';
    return value;
  });
  return table;
}

for (const dialect of DIALECTS) {
  describe(`an upload on ${dialect}`, () => {
    let opened: TestDatabase;
    let files: FsStoreFixture;
    let artefacts: ReturnType<typeof createArtefacts>;
    before(async () => {
      [opened, files] = await Promise.all([openTestDatabase(dialect), makeFsStore()]);
      const { database } = opened;
      artefacts = createArtefacts({
        database,
        blobs: createBlobs({ database, store: files.open() }),
        scanners: createTarballScanners(),
        limits: { maxUploadBytes: 100_000, maxUnpackedBytes: 100_000, maxTarEntries: 10 },
        categories: ['other'],
        onError: (error) => {
          throw error;
        },
      });
    });
    after(async () => {
      await artefacts.counts.close();
      await opened.close();
      await files.remove();
    });

    /** Returns the statements of the transaction of an upload. */
    async function upload(version: string): Promise<string[]> {
      const ingest = await artefacts.publishing.open('npm');
      await ingest.write(await npmTarball({ name: 'import-gpkg', version, files: { 'index.js': version } }));
      const received = { fields: {}, ...(await ingest.finish()) };
      const statements: string[] = [];
      await opened.database.transaction((tx) =>
        commitUpload(tx.withPlugin(recorder(statements)), ACTOR, TARGET, received, {
          categories: ['other'],
        }),
      );
      return statements;
    }

    for (const [what, version, others] of [
      ['the first', '1.0.0', 11],
      ['a later', '1.0.1', 12],
    ] as const)
      test(`${what} one of an artefact writes its event with one statement beside ${others} others`, async () => {
        const statements = await upload(version);
        assert.deepEqual(
          statements.filter((statement) => statement.endsWith(' events')),
          ['insert events'],
        );
        assert.equal(statements.length, others + 1, statements.join(', '));
      });
  });
}
