// Generates archives: ordinary npm packages with, mostly, some oddity. Each lists what it is made of.

import {
  base256,
  compress,
  encodeHeader,
  octal,
  ODD_GZIP,
  padded,
  paxRecord,
  SOUND_GZIP,
  type Header,
} from './blocks.ts';
import {
  BODIES,
  LINK_TYPES,
  MANIFESTS,
  ODD_MANIFEST_PATHS,
  ODD_MANIFESTS,
  ODD_NAMES,
  ODD_ROOTS,
  ODD_TARGETS,
  PLAIN_FOLDERS,
  PLAIN_NAMES,
  PLAIN_TARGETS,
  ROOTS,
  UNUSUAL_TYPES,
  USUAL_TYPES,
} from './pools.ts';
import { createRandom, type Random } from './random.ts';

/** An entry as a reader should see it. */
export interface LogicalEntry {
  name: Buffer;
  /** Type flag; `0` for all that mean a file. */
  type: string;
  target: Buffer;
  sizeBytes: number;
}

export interface Archive {
  seed: number;
  bytes: Buffer;
  entries: LogicalEntry[];
  /** Oddities outside of names and types, such as `signed checksum`. */
  traits: Set<string>;
}

/** What may be odd about an archive; one or two things at a time, or else every one would be refused. */
const DIMENSIONS = ['root', 'manifest', 'names', 'names', 'types', 'links', 'headers', 'end', 'gzip'] as const;

interface Context {
  random: Random;
  traits: Set<string>;
  entries: LogicalEntry[];
  odd: ReadonlySet<(typeof DIMENSIONS)[number]>;
}

/** Generates the archive of a seed. */
export function generateArchive(seed: number): Archive {
  const random = createRandom(seed);
  const odd = new Set(random.once(5) ? [] : [random.pick(DIMENSIONS), random.pick(DIMENSIONS)]);
  const context: Context = { random, traits: new Set(), entries: [], odd };
  const root = random.pick(odd.has('root') ? ODD_ROOTS : ROOTS);
  const blocks: Buffer[] = [];
  const add = (name: string | Buffer, type: string, link: string, body: Buffer): void => {
    blocks.push(encodeEntry({ name: Buffer.from(name), type, link: Buffer.from(link), body }, context));
  };
  const addManifest = (path: string): void => {
    const isPlain = path === 'package.json';
    add(root + path, '0', '', random.pick(odd.has('manifest') && isPlain ? ODD_MANIFESTS : MANIFESTS));
  };
  const manifests = odd.has('manifest') ? random.pick(ODD_MANIFEST_PATHS) : ['package.json'];
  const isLate = random.once(2);
  if (!isLate) manifests.forEach(addManifest);
  for (let count = random.below(6); count > 0; count -= 1) {
    const type = pickType(context);
    const name = Buffer.concat([
      pickName(root, type, context),
      Buffer.from(type === '5' && random.once(2) ? '/' : ''),
    ]);
    add(name, type, pickTarget(root, type, context), '\x0007'.includes(type) ? pickBody(random) : Buffer.alloc(0));
  }
  if (odd.has('types') && random.once(4)) {
    const hidden = encodeHeader({ name: Buffer.from('package/hidden'), type: '0', size: octal(0) });
    add('package/folder/', random.pick(['5', '0']), '', hidden);
  }
  if (isLate) manifests.forEach(addManifest);
  const tar = endArchive(Buffer.concat(blocks), context);
  const form = random.pick(odd.has('gzip') ? ODD_GZIP : SOUND_GZIP);
  context.traits.add(`gzip: ${form}`);
  return { seed, bytes: compress(tar, form, random), entries: context.entries, traits: context.traits };
}

function pickName(root: string, type: string, { random, odd }: Context): Buffer {
  const plainNames = type === '5' && !odd.has('types') ? PLAIN_FOLDERS : PLAIN_NAMES;
  const name = random.pick(odd.has('names') && random.once(3) ? ODD_NAMES : plainNames);
  const isWhole = typeof name === 'string' && name.startsWith('=');
  const start = random.once(12) ? 'package/./' : root;
  return isWhole ? Buffer.from(name.slice(1)) : Buffer.concat([Buffer.from(start), Buffer.from(name)]);
}

function pickType({ random, odd }: Context): string {
  if (odd.has('types') && random.once(4)) return random.pick(UNUSUAL_TYPES);
  return random.pick(odd.has('links') || odd.has('types') ? LINK_TYPES : USUAL_TYPES);
}

function pickTarget(root: string, type: string, { random, odd }: Context): string {
  const targets = odd.has('links') && random.once(3) ? ODD_TARGETS : PLAIN_TARGETS;
  if (type === '2') return random.pick(targets);
  if (type === '1') return root + random.pick(odd.has('links') ? targets : ['package.json', 'a', 'index.js']);
  return odd.has('links') && random.once(30) ? 'a' : '';
}

function pickBody(random: Random): Buffer {
  return random.once(4) ? Buffer.alloc(random.below(3000), 'content ') : Buffer.from(random.pick(BODIES));
}

interface NewEntry {
  name: Buffer;
  type: string;
  link: Buffer;
  body: Buffer;
}

/** Encodes an entry with the extended headers that its name needs, and perhaps others. */
function encodeEntry({ name, type, link, body }: NewEntry, context: Context): Buffer {
  const { random, traits, entries, odd } = context;
  const isOdd = odd.has('headers') && random.once(3);
  const format = random.pick(['ustar', 'ustar', 'gnu', 'v7'] as const);
  const extended: Buffer[] = [];
  const records: Buffer[] = random.once(6) ? [random.pick(HARMLESS_RECORDS)] : [];
  const fields: Partial<Header> = {};
  let shortName = name;
  if (name.length > 100 || random.once(12)) {
    const split = name.length > 100 && format === 'ustar' ? splitAt(name) : -1;
    if (split > 0 && random.once(2)) {
      fields.prefix = name.subarray(0, split);
      shortName = name.subarray(split + 1);
    } else {
      if (random.once(2)) extended.push(gnuLong('L', name));
      else records.push(paxRecord('path', name));
      shortName = random.once(2) ? name.subarray(0, 100) : Buffer.from('short');
    }
  }
  if (link.length > 100 || (link.length > 0 && random.once(12))) {
    if (random.once(2)) extended.push(gnuLong('K', link));
    else records.push(paxRecord('linkpath', link));
  }
  if (records.length > 0) extended.push(pax(records));
  let sizeBytes = body.length;
  let size: Header['size'] = random.pick([
    octal(sizeBytes),
    octal(sizeBytes),
    ` ${octal(sizeBytes, 9)} `,
    octal(sizeBytes).replace('\0', ' '),
  ]);
  if (random.once(12)) size = base256(sizeBytes, 12);
  if (isOdd) {
    const oddity = random.pick(Object.keys(ODDITIES));
    traits.add(oddity);
    const change = ODDITIES[oddity]!({ name, sizeBytes, random });
    Object.assign(fields, change.fields);
    if (change.fields?.size !== undefined) size = change.fields.size;
    if (change.sizeBytes !== undefined) sizeBytes = change.sizeBytes;
    extended.push(...(change.extended ?? []));
  }
  entries.push({ name, type: '\x007'.includes(type) ? '0' : type, target: link, sizeBytes });
  const mode = random.pick([
    '0000644\0',
    '0000755\0',
    '0000666\0',
    '0000600\0',
    '0000000\0',
    '0004755\0',
    '   644 \0',
  ]);
  const mtime = random.pick([octal(499162500), base256(1_700_000_000, 12), octal(0)]);
  const header = encodeHeader({ name: shortName, type, link, format, mode, mtime, ...fields, size });
  return Buffer.concat([...extended, header, padded(body)]);
}

/** Where the prefix of a name ends that fits a ustar header; -1 if none does. */
function splitAt(name: Buffer): number {
  for (let at = Math.min(155, name.length - 2); at > 0; at -= 1)
    if (name[at] === 0x2f && name.length - at - 1 <= 100) return at;
  return -1;
}

const pax = (records: Buffer[], type = 'x'): Buffer => {
  const body = Buffer.concat(records);
  const header = encodeHeader({ name: Buffer.from('PaxHeader/x'), type, size: octal(body.length) });
  return Buffer.concat([header, padded(body)]);
};

function gnuLong(type: 'K' | 'L', name: Buffer): Buffer {
  const body = Buffer.concat([name, Buffer.from('\0')]);
  const header = encodeHeader({ name: Buffer.from('././@LongLink'), type, format: 'gnu', size: octal(body.length) });
  return Buffer.concat([header, padded(body)]);
}

const HARMLESS_RECORDS = [
  paxRecord('mtime', Buffer.from('1.5')),
  paxRecord('comment', Buffer.from('x=y\n')),
  paxRecord('uid', Buffer.from('3000000000')),
  paxRecord('SCHILY.xattr.user.x', Buffer.from([0xff, 0])),
];

interface Oddity {
  fields?: Partial<Header>;
  sizeBytes?: number;
  extended?: Buffer[];
}

/** Oddities of headers, by the name of the trait. */
const ODDITIES: Record<string, (entry: { name: Buffer; sizeBytes: number; random: Random }) => Oddity> = {
  'signed checksum': () => ({ fields: { checksum: 'signed' } }),
  'wrong checksum': () => ({ fields: { checksum: 'wrong' } }),
  'short checksum': () => ({ fields: { checksum: 'short' } }),
  'negative size': () => ({ fields: { size: base256(-1, 12) } }),
  'blank size': () => ({ fields: { size: ' '.repeat(12) } }),
  'size with other digits': () => ({ fields: { size: '00000000089\0' } }),
  'size with text': () => ({ fields: { size: '00000000000x' } }),
  'size in 12 digits': ({ sizeBytes }) => ({ fields: { size: octal(sizeBytes, 12).slice(0, 12) } }),
  'size too small': ({ sizeBytes }) => ({
    fields: { size: octal(Math.max(0, sizeBytes - 1)) },
    sizeBytes: Math.max(0, sizeBytes - 1),
  }),
  'size in pax': ({ sizeBytes }) => ({
    fields: { size: octal(0) },
    extended: [pax([paxRecord('size', Buffer.from(String(sizeBytes)))])],
  }),
  'wrong size in pax': ({ random }) => ({
    extended: [pax([paxRecord('size', Buffer.from(random.pick(['', '-1', '1.5', '513'])))])],
  }),
  'blank uid': () => ({ fields: { uid: ' '.repeat(8) } }),
  'uid with text': () => ({ fields: { uid: 'root\0\0\0\0' } }),
  'uid in base 256': () => ({ fields: { uid: base256(70_000, 8) } }),
  'mode with text': () => ({ fields: { mode: 'rw-r--r-' } }),
  'blank mtime': () => ({ fields: { mtime: '\0'.repeat(12) } }),
  'prefix of another version': () => ({
    fields: { prefix: Buffer.from('package/prefix'), format: 'ustar without version' },
  }),
  'pax record without an end': () => ({ extended: [pax([Buffer.from('11 path=abcd')])] }),
  'pax record with a wrong length': () => ({ extended: [pax([Buffer.from('99 path=x\n')])] }),
  'pax record without a key': () => ({ extended: [pax([Buffer.from('7 path\n')])] }),
  'sparse file': () => ({ extended: [pax([paxRecord('GNU.sparse.major', Buffer.from('1'))])] }),
  'two names': () => ({
    extended: [gnuLong('L', Buffer.from('package/one')), pax([paxRecord('path', Buffer.from('package/two'))])],
  }),
  'global name': () => ({ extended: [pax([paxRecord('path', Buffer.from('package/all'))], 'g')] }),
  'global comment': () => ({ extended: [pax([paxRecord('comment', Buffer.from('a commit'))], 'g')] }),
  'binary names in pax': ({ name }) => ({
    extended: [pax([paxRecord('hdrcharset', Buffer.from('BINARY')), paxRecord('path', name)])],
  }),
  'two pax headers': ({ name }) => ({
    fields: { name: Buffer.from('package/other') },
    extended: [pax([paxRecord('path', name)]), pax([paxRecord('comment', Buffer.from('x'))])],
  }),
  'negative mtime': () => ({ fields: { mtime: base256(-5, 12) } }),
  'two equal names': ({ name }) => ({ extended: [gnuLong('L', name), pax([paxRecord('path', name)])] }),
};

function endArchive(tar: Buffer, { random, traits, odd }: Context): Buffer {
  const zeros = (blocks: number): Buffer => Buffer.concat([tar, Buffer.alloc(blocks * 512)]);
  if (!odd.has('end')) return zeros(random.pick([2, 2, 2, 20, 0, 1]));
  const end = random.pick(['data after the end', 'data after one zero block', 'cut archive', 'no padding'] as const);
  traits.add(end);
  const file = Buffer.concat([
    encodeHeader({ name: Buffer.from('package/after'), type: '0', size: octal(0) }),
    Buffer.alloc(1024),
  ]);
  switch (end) {
    case 'data after the end':
      return Buffer.concat([zeros(2), random.once(2) ? file : padded(Buffer.from('text'))]);
    case 'data after one zero block':
      return Buffer.concat([zeros(1), file]);
    case 'cut archive':
      return tar.subarray(0, 1 + random.below(Math.max(1, tar.length - 1)));
    case 'no padding':
      return tar.subarray(0, tar.length - (tar.length > 512 ? 1 + random.below(511) : 0));
  }
}
