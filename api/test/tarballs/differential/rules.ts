// Why archives are refused that gzip and GNU tar unpack without a warning. The rules are documented in
// docs/guides/publishing.md, each as a row with this text; a test compares them.

import type { Archive } from './archives.ts';
import {
  clash,
  entry,
  fold,
  isEndless,
  isFolder,
  isInPackage,
  isLateHardLink,
  isLink,
  isManifest,
  isSlashed,
  isText,
  leadsOutside,
  hasLongPart,
  isLong,
  nameOf,
  pathOf,
  targetOf,
  text,
  traits,
} from './oracles.ts';

export interface Rule {
  code: string;
  /** The row of the documentation. */
  text: string;
  /** Matches the messages of its refusals. */
  message: RegExp;
  /** Whether an archive breaks the rule, from how it was generated. */
  isBrokenBy: (archive: Archive) => boolean;
}

export const RULES: readonly Rule[] = [
  {
    code: 'tarball_not_gzip',
    text: 'it is a gzip file, sound, and nothing but zeros follows it',
    message: /gzip/,
    isBrokenBy: ({ traits: present }) =>
      [...present].some((trait) => /^gzip: (?:garbage|newline|zeros, then|wrong|reserved|not)/.test(trait)),
  },
  {
    code: 'tarball_truncated',
    text: 'it is complete, up to the last byte of the last entry and its padding',
    message: /truncated|ends within an entry/,
    isBrokenBy: traits('cut archive', 'no padding', 'gzip: cut', 'gzip: newline'),
  },
  {
    code: 'tarball_not_tar',
    text: 'it is a tar archive: each header has a checksum of unsigned bytes, a mode and a size',
    message: /is not a tar archive|no tar header/,
    isBrokenBy: (archive) =>
      archive.entries.length === 0 ||
      traits(
        'signed checksum',
        'wrong checksum',
        'negative size',
        'blank size',
        'size with other digits',
        'size with text',
        'size too small',
        'mode with text',
        'prefix of another version',
        'wrong size in pax',
        'cut archive',
        'gzip: not compressed',
      )(archive) ||
      archive.entries.some((one) => one.type !== '0' && !isFolder(one) && one.sizeBytes > 0),
  },
  {
    code: 'tarball_not_tar',
    text: 'nothing but zeros follows the first zero block',
    message: /data after the end of the archive/,
    isBrokenBy: traits('data after the end', 'data after one zero block'),
  },
  {
    code: 'tarball_not_tar',
    text: 'extended headers (pax) are well-formed, and have at most 1 MiB',
    message: /extended header is/,
    isBrokenBy: traits(
      'pax record without an end',
      'pax record with a wrong length',
      'pax record without a key',
      'wrong size in pax',
    ),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'an entry has one extended header of each kind, and they agree; global ones set no name or size',
    message: /extended headers|global extended header/,
    isBrokenBy: traits(
      'two names',
      'two equal names',
      'two pax headers',
      'size in pax',
      'wrong size in pax',
      'global name',
      'binary names in pax',
      'sparse file',
      'global comment',
    ),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'entries are files, folders, hard and symbolic links; no sparse files, devices or pipes',
    message: /is not a file, directory or link|sparse file/,
    isBrokenBy: (archive) => traits('sparse file')(archive) || entry(({ type }) => !'0125'.includes(type))(archive),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'links have no content, and files no target',
    message: /link with content/,
    isBrokenBy: (archive) =>
      traits('wrong size in pax')(archive) ||
      entry((one) => isLink(one) !== one.target.length > 0 || (isLink(one) && one.sizeBytes > 0))(archive),
  },
  {
    code: 'tarball_unsafe_entry',
    text:
      'only names of folders end with `/.`, only those of folders and links with `/`; targets of hard links with ' +
      'neither',
    message: /ends like that of one/,
    isBrokenBy: entry(
      (one) => (one.type !== '5' && isSlashed(one)) || (one.type === '1' && /\/\.?$/.test(targetOf(one))),
    ),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'names begin with `package/`, and have no `..`, backslash or control character',
    message: /would be unpacked outside package/,
    isBrokenBy: entry(
      (one) =>
        !isInPackage(nameOf(one)) ||
        /[\\\p{Cc}]/u.test(nameOf(one)) ||
        (pathOf(nameOf(one)) === '' && one.type !== '5'),
    ),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'names and targets have at most 1,024 characters',
    message: /has more than 1024 characters/,
    isBrokenBy: isLong,
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'each part of a name between slashes has at most 255 bytes',
    message: /has a part of more than 255 bytes/,
    isBrokenBy: hasLongPart,
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'names and targets are in UTF-8',
    message: /not in UTF-8/,
    isBrokenBy: entry(({ name, target }) => !isText(name) || !isText(target)),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'names and targets contain no invisible character and none that changes the direction of text; emojis may',
    message: /contains the invisible character U\+[0-9A-F]{4,}/,
    isBrokenBy: text(/[\u00ad\u200b\u202e\u2066\ufeff]/),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'no path is both a file and a folder, and nothing is below a file or a link',
    message: /both a file and a folder|has entries below it/,
    isBrokenBy: clash(
      (one) => !isFolder(one),
      (one) => isFolder(one) || !isLink(one) || true,
      true,
    ),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'a link shares its name with no other entry; a symbolic link not where case is ignored either',
    message: /shares its name with a link|has the name of something else where case is ignored/,
    isBrokenBy: (archive) =>
      clash(isLink, () => true, false)(archive) || clash(isLink, () => true, true)(fold(archive)),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'links lead to places inside of `package/`; a symbolic link climbs only at its beginning',
    message: /which leads outside package/,
    isBrokenBy: entry(leadsOutside),
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'a hard link leads to an earlier file',
    message: /something other than an earlier file/,
    isBrokenBy: isLateHardLink,
  },
  {
    code: 'tarball_unsafe_entry',
    text: 'symbolic links do not lead in a circle, nor through more than 40 links, also where case is ignored',
    message: /symbolic link to itself/,
    isBrokenBy: (archive) => isEndless(fold(archive)),
  },
  {
    code: 'tarball_unsafe_entry',
    text: '`package/package.json` is a file',
    message: /is the manifest and must be a regular file/,
    isBrokenBy: entry((one) => isManifest(one) && (one.type !== '0' || isFolder(one))),
  },
  {
    code: 'manifest_missing',
    text: 'there is a `package/package.json`',
    message: /has no package\/package\.json/,
    // An archive that is cut between two entries is whole without the later ones.
    isBrokenBy: (archive) => !archive.entries.some(isManifest) || traits('cut archive')(archive),
  },
  {
    code: 'manifest_duplicate',
    text: 'there is only one, however it is spelled',
    message: /more than once/,
    isBrokenBy: ({ entries }) => entries.filter(isManifest).length > 1,
  },
  {
    code: 'manifest_invalid',
    text:
      'it is JSON in UTF-8 with a name, a semver version, and valid values in `registry`, if that is an object; ' +
      'each configuration schema has at most 64 KiB',
    message: /package\/package\.json/,
    isBrokenBy: entry((one) => isManifest(one)),
  },
];

/** The rule of a refusal. @throws Error if there is none, or if the archive does not break it */
export function ruleOf(archive: Archive, { code, message }: { code: string; message: string }): Rule {
  const rules = RULES.filter((rule) => rule.code === code && rule.message.test(message));
  const [rule] = rules;
  if (!rule || rules.length > 1) throw new Error(`${rules.length} rules for ${code}: ${message}`);
  if (!rule.isBrokenBy(archive)) throw new Error(`the rule "${rule.text}" is not broken, but: ${message}`);
  return rule;
}
