import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { extractTarball } from '../../../lib-node/dist/index.js';
import { BerthError } from '../../src/errors.ts';
import type { TarballScan } from '../../src/tarballs/index.ts';
import { times } from '../support/combinations.ts';
import { generateArchive, type Archive } from './differential/archives.ts';
import { ruleOf, RULES } from './differential/rules.ts';
import {
  fileInTree,
  isSoundGzip,
  readTree,
  unpackWithGnuTar,
  unpackWithLibNode,
  unpackWithNpmTar,
  type Tree,
} from './differential/trees.ts';
import { scanBytes } from './scan-bytes.ts';

const COUNT = times({ often: 10_000, seldom: 500 });
/** The first seed; each archive has the next one. `BERTH_TEST_SEED=<seed>` repeats a run. */
const FIRST_SEED = Number(process.env['BERTH_TEST_SEED'] ?? Date.now() % 1_000_000_000);
/** One accepted archive in so many is also unpacked as consumers do, in a worker thread. */
const IN_THREAD = 25;
const MAX_PROBLEMS = 5;

test('what is accepted is unpacked alike by lib-node, GNU tar and npm, and refusals follow rules', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-differential-'));
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const problems: string[] = [];
  /** Refusals of archives that gzip and GNU tar unpack without a warning, by rule. */
  const refusals = new Map<string, number>();
  let accepted = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + COUNT && problems.length < MAX_PROBLEMS; seed += 1) {
    const archive = generateArchive(seed);
    const place = mkdtempSync(join(directory, 'archive-'));
    try {
      const scan = await scanBytes(archive.bytes, { chunkBytes: 1 + (seed % 5000) }).catch((error: unknown) => error);
      if (scan instanceof Error) {
        const rule = checkRefusal(archive, scan, place);
        if (rule !== undefined) refusals.set(rule, (refusals.get(rule) ?? 0) + 1);
      } else {
        accepted += 1;
        await checkTrees(archive, scan as TarballScan, place, accepted % IN_THREAD === 0);
      }
    } catch (error) {
      problems.push(`${describe(archive)}\n${error instanceof Error ? error.message : String(error)}`);
    }
    rmSync(place, { recursive: true, force: true });
  }
  t.diagnostic(`seed ${FIRST_SEED}: of ${COUNT} archives, ${accepted} are accepted`);
  if (COUNT > 1000) for (const [rule, count] of [...refusals].sort()) t.diagnostic(`${count} × ${rule}`);
  assert.equal(problems.join('\n'), '', `repeat it with BERTH_TEST_SEED=${FIRST_SEED}`);
  assert.ok(accepted > COUNT / 5, `only ${accepted} archives are accepted`);
});

test('the guide lists the rules', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../docs/guides/publishing.md'), 'utf8');
  const rows = guide.split('\n').filter((line) => /^\| `(?:tarball|manifest)_\w+` \|/.test(line));
  const documented = rows.map((row) =>
    row
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, 3)
      .join(': '),
  );
  for (const { code, text } of RULES) assert.ok(documented.includes(`\`${code}\`: ${text}`), `${code}: ${text}`);
});

/** Returns the rule by which an archive is refused that gzip and GNU tar unpack without a warning. */
function checkRefusal(archive: Archive, error: Error, place: string): string | undefined {
  assert.ok(error instanceof BerthError && error.status === 400, error.stack);
  assert.doesNotMatch(error.message, /[\p{C}\p{Zl}\p{Zp}]/u);
  if (!isSoundGzip(archive.bytes)) return undefined;
  const { failure, warnings } = unpackWithGnuTar(archive.bytes, join(place, 'tar'));
  return failure === undefined && warnings === '' ? ruleOf(archive, error).text : undefined;
}

async function checkTrees(archive: Archive, scan: TarballScan, place: string, inThread: boolean): Promise<void> {
  const { bytes, entries } = archive;
  assert.ok(isSoundGzip(bytes), 'gzip warns of it');
  const ours = await unpackWithLibNode(bytes, join(place, 'lib-node'));
  assert.equal(ours.failure, undefined);
  const gnu = unpackWithGnuTar(bytes, join(place, 'gnu'));
  assert.equal(gnu.failure, undefined);
  assertEqual(ours.tree, gnu.tree, 'lib-node and GNU tar');
  assertEqual(ours.tree, treeOf(scan, gunzipSync(bytes)), 'lib-node and the index');
  // npm drops the first part of each name, whatever it is, and what looks like a drive of Windows.
  if (entries.every(({ name }) => /^package\/(?!\/|[a-z]:)/i.test(name.toString('latin1')))) {
    const npm = unpackWithNpmTar(bytes, join(place, 'npm'));
    assert.equal(npm.failure, undefined);
    assertEqual(filesOf(ours.tree, scan), filesOf(npm.tree, scan), 'lib-node and npm');
  }
  if (inThread) {
    await extractTarball(Readable.from([bytes]), join(place, 'thread'));
    assertEqual(readTree(join(place, 'thread')), ours.tree, 'the thread and the test');
  }
}

/** The tree that the file index describes: of entries with one path, the last one counts. */
function treeOf({ files }: TarballScan, archive: Buffer): Tree {
  const tree: Tree = new Map();
  const contents = new Map<string, string>();
  for (const { path, type, target = '', offset, sizeBytes, mode } of files) {
    const key = Buffer.from(path).toString('latin1');
    const content = archive.subarray(offset, offset + sizeBytes);
    const parents = key.split('/').slice(0, -1);
    parents.forEach((_, index) => tree.set(parents.slice(0, index + 1).join('/'), 'folder'));
    if (type === 'file') contents.set(path, fileInTree(content, mode & 0o777 & ~process.umask()));
    if (type === 'link') contents.set(path, contents.get(target) ?? 'nothing');
    const isContent = type === 'file' || type === 'link';
    const link = `link to ${Buffer.from(target).toString('latin1')}`;
    tree.set(key, isContent ? (contents.get(path) ?? '') : type === 'symlink' ? link : 'folder');
  }
  return tree;
}

/** What npm unpacks: files without links to them. It keeps the mode of a file that it overwrites. */
function filesOf(tree: Tree, { files }: TarballScan): Tree {
  const links = new Set(files.flatMap(({ type, path }) => (type === 'link' ? [path] : [])));
  const isFile = ([path, what]: [string, string]): boolean =>
    what.startsWith('file') && !links.has(Buffer.from(path, 'latin1').toString());
  return new Map([...tree].filter(isFile).map(([path, what]) => [path, what.replace(/, mode .*/, '')]));
}

function assertEqual(one: Tree, other: Tree, what: string): void {
  const sorted = (tree: Tree): string[] => [...tree].map(([path, content]) => `${path}: ${content}`).sort();
  assert.deepEqual(sorted(one), sorted(other), what);
}

function describe({ seed, entries, traits }: Archive): string {
  const names = entries.map(({ type, name, target, sizeBytes }) => {
    const arrow = target.length > 0 ? ` -> ${JSON.stringify(target.toString())}` : '';
    return `  ${type} ${JSON.stringify(name.toString())}, ${sizeBytes} bytes${arrow}`;
  });
  return [`The archive of seed ${seed}, ${[...traits].join(', ')}:`, ...names].join('\n');
}
