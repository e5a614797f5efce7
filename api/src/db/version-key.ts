// The column `artefacts.version_key`: compared byte by byte, its values are in the order of semver.

import parse from 'semver/functions/parse.js';

/** Digits of the length of a number; a version has at most 256 characters. */
const LENGTH_DIGITS = 3;
const NUMBER = /^\d+$/;

/**
 * Returns the key by which artefacts are sorted by version: semver's precedence, without the build. Empty without a
 * version; what is no semver version precedes those that are.
 */
export function versionKey(version: string | undefined): string {
  if (version === undefined) return '';
  const parsed = parse(version);
  if (!parsed) return ` ${version}`;
  const { major, minor, patch, prerelease } = parsed;
  // "~" follows everything that a pre-release begins with, since the release comes last. A space, at the end of a
  // pre-release, precedes every further identifier.
  const end = prerelease.length === 0 ? '~' : `${prerelease.map(identifierKey).join('')} `;
  return `${[major, minor, patch].map((number) => numberKey(String(number))).join('')}${end}`;
}

/** Numbers precede words. A word ends with a character that precedes all that it may contain. */
function identifierKey(identifier: string | number): string {
  const text = String(identifier);
  return NUMBER.test(text) ? `0${numberKey(text)}` : `1${text}!`;
}

/** Of two numbers, the one with more digits is larger. */
function numberKey(digits: string): string {
  return `${String(digits.length).padStart(LENGTH_DIGITS, '0')}${digits}`;
}
