// Contents of a tarball, from the scan made at publishing. README and bundled packages need the right to see the
// artefact; the files and their list need the right to download it.

import { Readable } from 'node:stream';
import { accountOf, identityOf, type Caller } from '../access/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { readTarballBytes, type FileEntry } from '../tarballs/index.ts';
import { authorizeRead, type ReadRight } from './authorize-read.ts';
import { FileNotFoundError, NotATarballError, ReadmeNotFoundError } from './errors.ts';
import { fileIndexRepository } from './file-index-repository.ts';
import { findInFileIndex, parseFileIndexPart } from './file-index.ts';
import { createInflations } from './inflations.ts';
import { chooseSlot } from './operations.ts';
import { artefactRepository } from './repository.ts';
import { scanRepository } from './scan-repository.ts';

export interface ContentsRequest {
  id: string;
  architecture: string | undefined;
}
export interface FileContent {
  sizeBytes: number;
  /** @param signal gives up waiting for a turn */
  open(signal: AbortSignal): Promise<Readable>;
}

export function createContents({ database, blobs }: { database: Database; blobs: Blobs }) {
  const artefacts = artefactRepository(database.db);
  const inflations = createInflations();
  const scans = scanRepository(database.db);
  const fileIndexes = fileIndexRepository(database.db, database.dialect);

  /** Returns the digest of the slot that `/download` would serve. */
  async function digestFor(caller: Caller, { id, architecture }: ContentsRequest, right: ReadRight): Promise<string> {
    const facts = await authorizeRead(artefacts, caller, id, right, await artefacts.findDownloadFacts(id));
    if (facts.format !== 'npm')
      throw new NotATarballError('This artefact is a file and has no contents to list: get it from /download.');
    return chooseSlot(facts, { kind: 'download', architecture }).digest;
  }

  return {
    /** Returns the README as text. @throws artefact_not_found, not_a_tarball, readme_not_found */
    async readme(caller: Caller, request: ContentsRequest): Promise<string> {
      const readme = await scans.findReadme(await digestFor(caller, request, 'seeArtefact'));
      if (readme === undefined) throw new ReadmeNotFoundError('The package has no README.');
      return readme;
    },

    /** Returns `{ results, count }` as JSON. Not parsed: 200,000 packages would take a second. */
    async packages(caller: Caller, request: ContentsRequest): Promise<string> {
      const packages = await scans.findPackages(await digestFor(caller, request, 'seeArtefact'));
      return `{"results":${packages},"count":${countPackages(packages)}}`;
    },

    /** Lists the files in archive order, in batches. */
    async files(caller: Caller, request: ContentsRequest): Promise<AsyncIterable<FileEntry[]>> {
      return parseParts(fileIndexes.read(await digestFor(caller, request, 'downloadArtefact')));
    },

    /**
     * Finds one file by its path below `package/`. A hard link resolves to its file.
     * @throws file_not_found; `open` throws blob_missing, tarball_reads_busy
     */
    async file(caller: Caller, request: ContentsRequest, path: string): Promise<FileContent> {
      const digest = await digestFor(caller, request, 'downloadArtefact');
      const file = await findInFileIndex((text) => fileIndexes.search(digest, text), path);
      if (!file) throw new FileNotFoundError('The package has no such file: /files lists its files.');
      return {
        sizeBytes: file.sizeBytes,
        async open(signal) {
          if (file.sizeBytes === 0) return Readable.from([]);
          const endTurn = await inflations.begin(ownerOf(caller), signal);
          try {
            // From the first byte of the file on, the client sets the pace: it must not hold a turn.
            return readTarballBytes(await blobs.read(digest), file, endTurn);
          } catch (error) {
            endTurn();
            throw error;
          }
        },
      };
    },
  };
}

/** Counts the objects of a stored array. No string contains this text: its quotes would be escaped. */
function countPackages(json: string): number {
  return json.split('{"name":').length - 1;
}

/** An account counts once, with all its keys and users. */
function ownerOf(caller: Caller): string {
  const account = accountOf(caller);
  return account ? `${account.type}:${account.id}` : (identityOf(caller) ?? 'anonymous');
}

async function* parseParts(parts: AsyncIterable<string>): AsyncGenerator<FileEntry[]> {
  for await (const part of parts) yield parseFileIndexPart(part);
}
