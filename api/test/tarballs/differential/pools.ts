// What archives are generated from: names, targets of links, types, manifests.

export const ROOTS = ['package/', 'package/', 'package/', './package/'];
export const ODD_ROOTS = [
  'package//',
  'package/./',
  '././package/',
  'other/',
  'Package/',
  '/package/',
  '',
  'package\\',
];

export const PLAIN_NAMES: readonly (string | Buffer)[] = [
  'a',
  'b',
  'dir/b',
  'dir/c/d',
  'index.js',
  'README.md',
  'lib/index.js',
  'lib/util/a.js',
  'node_modules/p/package.json',
  'node_modules/p/index.js',
  'node_modules/@scope/q/package.json',
  'node_modules/.bin/p',
  '.npmignore',
  'été.txt',
  '文件/說明.md',
  '☃.js',
];

export const PLAIN_FOLDERS = ['dir', 'lib', 'lib/util', 'empty', 'node_modules/p', 'empty/été'];

const long = (bytes: number): string => 'n'.repeat(bytes);

/** With a leading `=`: the whole name, not below the root. */
export const ODD_NAMES: readonly (string | Buffer)[] = [
  'a/b',
  'a/b/c',
  'dir',
  'lib',
  'A',
  'Lib/index.js',
  'readme.md',
  'package.json/x',
  'package.json/',
  'a/',
  'a/.',
  'a/b/',
  'a//',
  './a',
  '.',
  '',
  'c/../a',
  '../a',
  '..',
  '..a',
  'a..',
  'e\u0301te\u0301.txt',
  Buffer.from('caf\xe9.txt', 'latin1'),
  Buffer.from('caf\xe8.txt', 'latin1'),
  Buffer.from([0x65, 0xcc]),
  '\ufffd.txt',
  'a\u202egpj.exe',
  'a\u200bb',
  'a\u2066b',
  '\u00ada',
  '\ufeffa',
  '👨‍👩‍👧.svg',
  '❤️.png',
  '🏴󠁧󠁢󠁥󠁮󠁧󠁿.svg',
  'a\nb',
  'a\u001b[2J',
  'a\u007f',
  'a\\b',
  'nul',
  'con.txt',
  'a:b',
  'C:/x',
  'trailing.',
  'trailing ',
  ' leading',
  '-rf',
  'a"b',
  '*',
  long(99),
  `${long(89)}/${long(60)}`,
  long(255),
  long(256),
  '文'.repeat(85),
  '文'.repeat(86),
  `${'d'.repeat(60)}/${'e'.repeat(60)}/f`,
  `${`${long(200)}/`.repeat(5)}x`,
  `${`${'文'.repeat(80)}/`.repeat(4)}x`,
  `${`${'文'.repeat(80)}/`.repeat(6)}x`,
  `${`${'文'.repeat(80)}/`.repeat(12)}x`,
  `${'d/'.repeat(500)}x`,
  `${'d/'.repeat(600)}x`,
  '=../evil',
  '=package/../evil',
  '=other/a',
  '=package',
  '=package/',
  '=./',
  '=.',
  '=/package/a',
  '=./package/./a',
];

export const PLAIN_TARGETS = ['a', 'b', './a', 'dir/b', '.', 'lib', 'index.js', 'nothing/at/all'];

export const ODD_TARGETS = [
  'a/',
  'a/.',
  '..',
  '../..',
  '../a',
  '../lib/index.js',
  'a/b',
  'a',
  'b',
  'package.json',
  'README.md',
  '../README.md',
  'A',
  'a/../b',
  '/etc/passwd',
  '../../outside',
  'a\\b',
  'a\u202eb',
  long(255),
  long(256),
  `${`${long(120)}/`.repeat(3)}x`,
  'e\u0301te\u0301.txt',
];

/** Type flags of files, folders and links, and of anything else. */
export const USUAL_TYPES = ['0', '0', '0', '0', '0', '\0', '5', '5', '2'];
export const LINK_TYPES = ['0', '0', '\0', '5', '1', '1', '2', '2', '2', '7'];
export const UNUSUAL_TYPES = ['3', '4', '6', 'D', 'M', 'S', 'V', 'A', 'I', 'N', 'Z', '8'];

const manifest = (more: Record<string, unknown> = {}): Buffer =>
  Buffer.from(JSON.stringify({ name: '@acme/plugin', version: '1.0.0', ...more }));

export const MANIFESTS = [
  manifest(),
  manifest({ license: 'MIT', registry: { category: 'processing' }, bundleDependencies: ['p'] }),
  manifest({ registry: 'jspm', jspm: {} }),
  Buffer.concat([Buffer.from('\ufeff'), manifest()]),
];

export const ODD_MANIFESTS = [
  ...MANIFESTS,
  manifest({ version: '1' }),
  manifest({ registry: { documentation: 'none' } }),
  Buffer.from('{"name":"@acme/plugin",}'),
];

/** Paths of the manifests of one archive. */
export const ODD_MANIFEST_PATHS: readonly string[][] = [
  ['package.json'],
  ['./package.json'],
  ['package.json', 'package.json'],
  ['package.json', 'Package.json'],
  ['PACKAGE.JSON'],
  ['lib/package.json'],
  ['package.json', 'package.json/x'],
  ['package.json/'],
  [],
];

export const BODIES = ['', 'x', 'hello', '{}', '{"name":"p","version":"2.0.0","license":"ISC"}', '#!/bin/sh\n'];
