// Reads the fields of a package.json that only describe a package. Unlike in manifest.ts, none is refused: what is
// missing or invalid is left out.

import hostedGitInfo from 'hosted-git-info';
import { INVISIBLE, isJsonObject, readTerm, readUrl, type JsonObject } from './json-fields.ts';

const MAX_DESCRIPTION_LENGTH = 2000;
const MAX_KEYWORDS = 20;
const MAX_KEYWORD_LENGTH = 50;

/** Where a package comes from: http or https URLs without credentials. */
export interface PackageLinks {
  repository?: string;
  homepage?: string;
  issues?: string;
}

export interface PackageInfo {
  /** `description`, trimmed, of at most 2,000 characters. */
  description?: string;
  /** At most 20, of at most 50 characters each, without duplicates. */
  keywords?: string[];
  links?: PackageLinks;
}

export function readPackageInfo(json: JsonObject): PackageInfo {
  const description = readDescription(json.description);
  const keywords = readKeywords(json.keywords);
  const links = readLinks(json);
  return {
    ...(description !== undefined && { description }),
    ...(keywords && { keywords }),
    ...(links && { links }),
  };
}

/** Drops NUL characters, which no database stores, and half a character where the text is cut. */
export function readDescription(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = value.replaceAll('\0', '').trim().slice(0, MAX_DESCRIPTION_LENGTH);
  const whole = text
    .replace(/[\ud800-\udbff]$/, '')
    .trimEnd()
    .toWellFormed();
  return whole === '' ? undefined : whole;
}

/** Reads an array, or one string with commas, as npm does. Longer and invisible keywords are left out. */
export function readKeywords(value: unknown): string[] | undefined {
  const list: unknown[] = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [];
  const keywords = new Set<string>();
  for (const item of list) {
    const keyword = typeof item === 'string' ? readTerm(item.trim(), MAX_KEYWORD_LENGTH) : undefined;
    if (keyword !== undefined && keyword.isWellFormed() && !INVISIBLE.test(keyword)) keywords.add(keyword);
    if (keywords.size === MAX_KEYWORDS) break;
  }
  return keywords.size === 0 ? undefined : [...keywords];
}

function readLinks(json: JsonObject): PackageLinks | undefined {
  return pickLinks({
    repository: readRepository(urlOf(json.repository)),
    homepage: readLink(json.homepage),
    issues: readLink(urlOf(json.bugs)),
  });
}

/** Returns the links that are http or https URLs; undefined if there are none. */
export function pickLinks({ repository, homepage, issues }: Record<string, unknown>): PackageLinks | undefined {
  const links = { repository: readLink(repository), homepage: readLink(homepage), issues: readLink(issues) };
  const known = Object.entries(links).filter(([, url]) => url !== undefined);
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

/** npm allows `{ url }` beside a plain string. */
function urlOf(value: unknown): unknown {
  return isJsonObject(value) ? value.url : value;
}

/** Turns a shorthand such as `github:acme/x` or `acme/x`, or the URL of a clone, into that of a page. */
function readRepository(value: unknown): string | undefined {
  const text = readTerm(value, MAX_DESCRIPTION_LENGTH);
  if (text === undefined) return undefined;
  const page = hostedGitInfo.fromUrl(text)?.browse();
  return page ?? text.replace(/^git\+(?=https?:)/, '').replace(/\.git$/, '');
}

function readLink(value: unknown): string | undefined {
  const url = readUrl(value);
  if (url === undefined || !url.isWellFormed()) return undefined;
  const parsed = new URL(url);
  if (parsed.username === '' && parsed.password === '') return url;
  parsed.username = '';
  parsed.password = '';
  return parsed.href;
}
