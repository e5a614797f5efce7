// Artefacts as an older version of the program would have stored them, on a real database and real files.

import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { SYSTEM_ACTOR } from '../../src/access/index.ts';
import { DOCUMENT_VERSION, renderDocuments } from '../../src/artefacts/document.ts';
import { createArtefacts } from '../../src/artefacts/index.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { createBlobs, type Blobs } from '../../src/blobs/index.ts';
import type { Database, DialectName } from '../../src/db/index.ts';
import type { JobContext } from '../../src/jobs/index.ts';
import { createTarballScanners, type TarballLimits } from '../../src/tarballs/index.ts';
import { makeFsStore } from '../blobs/fs-fixture.ts';
import { jobContext } from '../support/job-context.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { openTestDatabase } from '../support/test-database.ts';

export type Services = ReturnType<typeof createArtefacts>;

export interface StoredShapes {
  database: Database;
  services: Services;
  /** Of the services; they take effect when they are changed. */
  limits: TarballLimits;
  /** Folder of the blobs. */
  root: string;
  /** Digests of the blobs that were read, in order. */
  reads: string[];
  close(): Promise<void>;
}

const CATEGORIES = ['processing', 'tileset', 'other'];
/** Fields that the older version did not know. */
const NEW_FIELDS = ['packageDescription', 'keywords', 'links'];

export async function openStoredShapes(dialect: DialectName): Promise<StoredShapes> {
  const opened = await openTestDatabase(dialect);
  const files = await makeFsStore();
  const { database } = opened;
  const blobs = createBlobs({ database, store: files.open() });
  const reads: string[] = [];
  const counted: Blobs = {
    ...blobs,
    read: (digest, range) => {
      reads.push(digest);
      return blobs.read(digest, range);
    },
  };
  const limits = { maxUploadBytes: 1024 ** 3, maxUnpackedBytes: 1024 ** 3, maxTarEntries: 1000 };
  const services = createArtefacts({
    database,
    blobs: counted,
    scanners: createTarballScanners(),
    limits,
    categories: CATEGORIES,
    onError: (error) => {
      throw error;
    },
  });
  return {
    database,
    services,
    limits,
    root: files.root,
    reads,
    async close() {
      await services.counts.close();
      await opened.close();
      await files.remove();
    },
  };
}

/** Publishes as CI would. @returns the digest */
export async function publish(
  { services }: Pick<StoredShapes, 'services'>,
  id: string,
  file: Uint8Array,
  { format = 'npm', architecture }: { format?: 'npm' | 'file'; architecture?: string } = {},
): Promise<string> {
  const parts = async function* () {
    if (architecture !== undefined) yield { name: 'architecture' as const, text: architecture };
    yield { name: 'file' as const, fileName: 'package.tgz', content: Readable.from([file]) };
  };
  await services.publishing.publish(SYSTEM_ACTOR, { id, format }, parts());
  return `sha256:${createHash('sha256').update(file).digest('hex')}`;
}

/** Publishes artefacts that differ in all that the older version did not store. */
export async function publishSamples(shapes: StoredShapes): Promise<void> {
  const { database } = shapes;
  const described = {
    description: 'Imports GeoPackages',
    keywords: ['geo'],
    repository: 'acme/import',
    homepage: 'https://example.org',
  };
  const plain = await npmTarball({ name: 'plain' });
  await publish(shapes, 'plain@1', plain);
  await publish(shapes, 'plain@main', plain);
  for (const id of ['plain@1']) await shapes.services.edit.patch(SYSTEM_ACTOR, id, { public: true });
  const native = { 'binding.gyp': '{}', 'node_modules/a/package.json': '{"name":"a","version":"1.0.0"}' };
  const files = { ...native, 'README.md': '# Import' };
  const manifest = { ...described, dependencies: { a: '1' } };
  await publish(shapes, 'described@1', await npmTarball({ name: 'described', manifest, files }));
  const build = (architecture: string) => ({
    architecture,
    file: npmTarball({ name: 'slots', manifest: { description: architecture }, files: { 'arch.txt': architecture } }),
  });
  const slots = [build('x64'), build('arm64')];
  // In both orders: the manifest of the last upload counts, whichever tarball is scanned last.
  for (const [id, order] of [['slots@1', slots] as const, ['slots@2', slots.toReversed()] as const])
    for (const { architecture, file } of order) await publish(shapes, id, await file, { architecture });
  await publish(shapes, 'world', Buffer.from('tiles'), { format: 'file' });
  await publish(shapes, 'mirror@1', await npmTarball({ name: 'mirror', manifest: described }));
  await database.transaction(async (tx) => {
    const stored = await artefactRepository(tx).lock('mirror@1');
    const { packageDescription, keywords, links, ...artefact } = stored!.artefact;
    const mirror = { ...artefact, origin: 'https://registry.example' };
    await artefactRepository(tx).update(mirror, renderDocuments(mirror, stored!.slots));
  });
}

/** Rows of every table that holds a stored shape; the fields of a record in any order. */
export async function stateOf({ db }: Database): Promise<Record<string, unknown[]>> {
  const tables = ['artefacts', 'artefact_documents', 'slots', 'tarball_scans', 'file_index_parts'] as const;
  const state: Record<string, unknown[]> = {};
  for (const table of tables) {
    const rows = (await db.selectFrom(table).selectAll().execute()).map((row) => ({
      ...row,
      ...('record' in row && { record: JSON.parse(row.record) as unknown }),
    }));
    state[table] = rows.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
  }
  return state;
}

function keyOf(row: Record<string, unknown>): string {
  return ['id', 'artefact_id', 'architecture', 'digest', 'part'].map((column) => String(row[column])).join(' ');
}

/** Turns documents and columns, of one artefact or all, into those of a version that knew fewer fields. */
export async function ageDocuments({ db }: Database, id?: string): Promise<void> {
  for (const row of await db.selectFrom('artefact_documents').selectAll().execute()) {
    if (id !== undefined && row.artefact_id !== id) continue;
    const aged = agedDocuments(row);
    await db
      .updateTable('artefact_documents')
      .set({ ...aged, document_version: DOCUMENT_VERSION - 1, versioned_etag: aged.limited_etag })
      .where('artefact_id', '=', row.artefact_id)
      .execute();
    const columns = { search_text: 'aged', version_key: '' };
    await db.updateTable('artefacts').set(columns).where('id', '=', row.artefact_id).execute();
  }
}

/** The documents as the older version renders them, with ETags that are made as today. */
function agedDocuments(row: { limited_document: string; full_document: string }) {
  const aged = (json: string) => {
    const document = withoutNewFields(JSON.parse(json) as Record<string, unknown>);
    const slots = Object.values((document['tarballs'] ?? {}) as Record<string, Record<string, unknown>>);
    for (const slot of slots) delete slot['hasNativeCode'];
    const text = JSON.stringify(document);
    return { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` };
  };
  const [limited, full] = [aged(row.limited_document), aged(row.full_document)];
  return {
    limited_document: limited.text,
    limited_etag: limited.etag,
    full_document: full.text,
    full_etag: full.etag,
  };
}

/** Turns scans, and records of what they found, into those of the older version. */
export async function ageScans({ db }: Database): Promise<void> {
  const absent = { manifest: null, dependencies: null, has_native_code: null, integrity: null, shasum: null };
  await db
    .updateTable('tarball_scans')
    .set({ scan_version: 1, warnings: null, ...absent })
    .execute();
  for (const { digest, part, entries } of await db.selectFrom('file_index_parts').selectAll().execute()) {
    const aged = (JSON.parse(entries) as Record<string, unknown>[]).map(({ sha256, ...entry }) => entry);
    await db
      .updateTable('file_index_parts')
      .set({ entries: JSON.stringify(aged) })
      .where('digest', '=', digest)
      .where('part', '=', part)
      .execute();
  }
  for (const { artefact_id: id, record } of await db.selectFrom('artefact_documents').selectAll().execute()) {
    const aged = JSON.stringify(withoutNewFields(JSON.parse(record) as Record<string, unknown>));
    await db.updateTable('artefact_documents').set({ record: aged }).where('artefact_id', '=', id).execute();
  }
}

function withoutNewFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !NEW_FIELDS.includes(name)));
}

type Jobs = Services['renewals'];
type ResultOf<Name extends keyof Jobs> = Awaited<ReturnType<Jobs[Name]['run']>>;

/** Runs one of the two jobs to its end. */
export async function renew<Name extends keyof Jobs>(
  { services: { renewals } }: StoredShapes,
  name: Name,
  context: Partial<JobContext<ResultOf<Name>>> = {},
): Promise<ResultOf<Name>> {
  const run = renewals[name].run as (context: JobContext<never>) => Promise<ResultOf<Name>>;
  return run(jobContext(context) as JobContext<never>);
}
