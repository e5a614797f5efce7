// Collects the metadata of a tarball from its streamed entries, and rejects invalid archives. Names and links are
// checked by operations.ts, package.json files are read by manifest.ts and packages.ts.

import { createDependencyCollector } from './dependencies.ts';
import {
  ManifestDuplicateError,
  ManifestInvalidError,
  ManifestMissingError,
  ManifestTooLargeError,
  TarballTooManyEntriesError,
  TarballUnsafeEntryError,
} from './errors.ts';
import { findJsonProblem, parseJsonObject } from './json-fields.ts';
import { readManifest, type Manifest } from './manifest.ts';
import { findNameProblem, quoteName } from './names.ts';
import { pathInsidePackage, staysInsidePackage } from './operations.ts';
import {
  bundledPackageAt,
  callsNativeBuilder,
  describePackage,
  isBundled,
  isNativeCode,
  listInstallScripts,
  type PackageFolder,
} from './packages.ts';
import { findWarnings } from './portability.ts';
import { SCAN_VERSION, type TarballScan } from './scan.ts';
import type { ContentRequest, EntryRequest, TarEntry } from './tar-reader.ts';
import { findTreeProblem } from './tree.ts';
import type { BundledPackage, EntryType, FileEntry } from './types.ts';

const MANIFEST_PATH = 'package.json';
/** Documented limit of `package/package.json`. */
const MAX_MANIFEST_BYTES = 2 * 1024 * 1024;
/** Real ones have a few KiB. A package with a larger package.json is listed by its folder name only. */
const MAX_BUNDLED_MANIFEST_BYTES = 128 * 1024;
/**
 * Bytes of package.json files parsed for one archive: ten times what the largest real ones have. Packages beyond are
 * listed by their folder names only.
 */
const MAX_PARSED_BYTES = 32 * 1024 * 1024;
/** Characters of all names and link targets in the index: 200,000 entries of 168. */
const MAX_INDEX_LENGTH = 32 * 1024 * 1024;
/** A longer README is truncated: it is only displayed. */
const MAX_README_BYTES = 512 * 1024;
/** Patterns in order of preference, for packages with several READMEs. */
const README_PREFERENCE = [
  /^readme\.md$/i,
  /^readme\.(?:markdown|mkdn?)$/i,
  /^readme[^/]*\.md$/i,
  /^readme$/i,
  /^readme[^/]*$/i,
];

/** Memory of an index entry with its digest but without its names, as measured with Node 24. */
const ENTRY_BYTES = 270;

const UNSAFE_NAME =
  'would be unpacked outside package/, or differently on some systems: every name must begin with package/, and ' +
  'have no "..", backslash or control character.';

export interface Contents {
  /** Approximate memory use, in bytes. */
  readonly heldBytes: number;
  /** Bytes of package.json files that have been or are about to be parsed. */
  readonly parsedBytes: number;
  /**
   * Adds the next entry. Returns what is needed of its content.
   * @throws tarball_too_many_entries, tarball_unsafe_entry, manifest_duplicate, manifest_too_large; `onContent` of
   *   the request throws manifest_invalid
   */
  add(entry: TarEntry): EntryRequest;
  /**
   * Validates the archive as a whole, after its last entry, and returns the result.
   * @throws manifest_missing, manifest_duplicate, tarball_unsafe_entry
   */
  toScan(): Omit<TarballScan, 'integrity' | 'shasum'>;
}

/**
 * Creates the collector of one scan. It holds the file index, whose entries and characters are bounded, and one file
 * content at a time.
 */
export function createContents({ maxTarEntries }: { maxTarEntries: number }): Contents {
  const files: FileEntry[] = [];
  const packages = new Map<string, BundledPackage>();
  const dependencies = createDependencyCollector();
  let entries = 0;
  let indexLength = 0;
  let unpackedSizeBytes = 0;
  let parsedBytes = 0;
  let hasManifest = false;
  let manifest: Manifest | undefined;
  let readme: string | undefined;
  let readmeRank = README_PREFERENCE.length;
  let hasNativeModules = false;
  let hasNativeCode = false;
  let hasInstallScripts = false;

  function requestManifest(type: EntryType, sizeBytes: number): ContentRequest {
    if (type !== 'file') throw unsafe(MANIFEST_PATH, 'is the manifest and must be a regular file');
    if (hasManifest)
      throw new ManifestDuplicateError(
        'package/package.json is in the tarball more than once: pack it again with npm pack.',
      );
    if (sizeBytes > MAX_MANIFEST_BYTES)
      throw new ManifestTooLargeError(
        'package/package.json is larger than 2 MiB: move data that npm does not need into separate files.',
      );
    hasManifest = true;
    parsedBytes += sizeBytes;
    return {
      maxBytes: sizeBytes,
      onContent(content) {
        const json = parseJsonObject(content);
        if (!json)
          throw new ManifestInvalidError(
            `package/package.json ${findJsonProblem(content)}: correct it and pack again.`,
          );
        manifest = readManifest(json);
        const scripts = listInstallScripts(json);
        dependencies.declare('', json);
        hasInstallScripts ||= scripts.length > 0;
        hasNativeCode ||= scripts.some(callsNativeBuilder);
      },
    };
  }

  function requestPackage(
    folder: PackageFolder,
    { type, sizeBytes, target = '' }: FileEntry,
  ): ContentRequest | undefined {
    const original = type === 'link' ? packages.get(bundledPackageAt(target)?.path ?? '') : undefined;
    packages.set(folder.path, original ? { ...original, path: folder.path } : describePackage(folder));
    if (original) dependencies.copy(folder.path, original.path);
    if (type !== 'file' || sizeBytes > MAX_BUNDLED_MANIFEST_BYTES) return undefined;
    if (parsedBytes + sizeBytes > MAX_PARSED_BYTES) return undefined;
    parsedBytes += sizeBytes;
    return {
      maxBytes: sizeBytes,
      onContent(content) {
        const json = parseJsonObject(content) ?? {};
        const scripts = listInstallScripts(json);
        packages.set(folder.path, describePackage(folder, json));
        dependencies.declare(folder.path, json);
        hasInstallScripts ||= scripts.length > 0;
        hasNativeModules ||= scripts.some(callsNativeBuilder);
      },
    };
  }

  function requestReadme(path: string): ContentRequest | undefined {
    const rank = README_PREFERENCE.findIndex((pattern) => pattern.test(path));
    if (rank === -1 || rank >= readmeRank) return undefined;
    readmeRank = rank;
    return {
      maxBytes: MAX_README_BYTES,
      onContent(content) {
        readme = decodeText(content);
      },
    };
  }

  function requestContent(file: FileEntry): ContentRequest | undefined {
    const { path, type, sizeBytes } = file;
    if (path === MANIFEST_PATH) return requestManifest(type, sizeBytes);
    const folder = type === 'directory' ? undefined : bundledPackageAt(path);
    if (folder) return requestPackage(folder, file);
    return type === 'file' ? requestReadme(path) : undefined;
  }

  return {
    get heldBytes() {
      return files.length * ENTRY_BYTES + indexLength * 2 + (readme?.length ?? 0) * 2;
    },
    get parsedBytes() {
      return parsedBytes;
    },
    add(entry) {
      if (++entries > maxTarEntries)
        throw new TarballTooManyEntriesError(
          `The tarball has more than ${maxTarEntries} entries: leave out files that are not needed to run it.`,
        );
      const file = toFileEntry(entry);
      if (!file) return {};
      const { path, type, sizeBytes } = file;
      indexLength += file.path.length + (file.target?.length ?? 0);
      if (indexLength > MAX_INDEX_LENGTH)
        throw new TarballTooManyEntriesError(
          'The names in the tarball add up to more than 32 million characters: leave out files that are not needed ' +
            'to run it.',
        );
      files.push(file);
      unpackedSizeBytes += sizeBytes;
      if (isNativeCode(path, type)) {
        if (isBundled(path)) hasNativeModules = true;
        else hasNativeCode = true;
      }
      const content = requestContent(file);
      if (type !== 'file') return { content };
      return {
        content,
        onDigest(sha256) {
          file.sha256 = sha256;
        },
      };
    },
    toScan() {
      if (!manifest) throw new ManifestMissingError('The tarball has no package/package.json: pack it with npm pack.');
      const problem = findTreeProblem(files);
      if (problem) throw unsafe(problem.path, problem.reason);
      return {
        scanVersion: SCAN_VERSION,
        manifest,
        ...(readme !== undefined && { readme }),
        files,
        packages: [...packages.values()].sort((one, other) => (one.path < other.path ? -1 : 1)),
        dependencies: dependencies.resolve(new Set(packages.keys()), files),
        hasNativeModules,
        hasNativeCode,
        hasInstallScripts,
        unpackedSizeBytes,
        warnings: findWarnings(files),
      };
    },
  };
}

/** Returns undefined for `package/` itself and for the root of the archive, which need no entry. */
function toFileEntry({ name, type, sizeBytes, mode, offset, target }: TarEntry): FileEntry | undefined {
  const path = pathInsidePackage(name);
  if (path === undefined || (path === '' && type !== 'directory'))
    throw new TarballUnsafeEntryError(`${quoteName(name)} ${UNSAFE_NAME}`);
  const nameProblem = findNameProblem(name);
  if (nameProblem !== undefined) throw new TarballUnsafeEntryError(`${quoteName(name)} ${nameProblem}`);
  if (path === '') return undefined;
  if (target === undefined) return { path, sizeBytes, mode, type, offset };
  const inside = type === 'link' ? pathInsidePackage(target) : staysInsidePackage(path, target) ? target : undefined;
  if (inside === undefined)
    throw unsafe(
      path,
      `is a link to ${quoteName(target)}, which leads outside package/, or may do so through another link`,
    );
  const targetProblem = findNameProblem(target);
  if (targetProblem !== undefined)
    throw new TarballUnsafeEntryError(
      `${quoteName(`package/${path}`)} is a link to ${quoteName(target)}, which ${targetProblem}`,
    );
  return { path, sizeBytes, mode, type, offset, target: inside };
}

function unsafe(path: string, reason: string): Error {
  return new TarballUnsafeEntryError(
    `${quoteName(`package/${path}`)} ${reason}: leave it out, or replace it with the file itself.`,
  );
}

/** Drops NUL characters, which no database stores, and a character that the size limit cut in two. */
function decodeText(content: Buffer): string {
  return new TextDecoder().decode(content, { stream: true }).replaceAll('\0', '');
}
