// Sets the metadata of a migrated artefact. What the registry refuses is dropped and reported, part by part: metadata
// of old plug-ins was never checked, and must not prevent the rest.

import { sendJson, sendThumbnail } from './change.ts';
import { isErrno, RegistryError } from './errors.ts';
import type { DroppedMetadata, PluginToMigrate } from './options.ts';
import type { Registry } from './registry.ts';
import type { AccountRef } from './types.ts';

const FIELDS = ['title', 'description', 'group', 'documentation', 'deprecated', 'public', 'privateAccess'] as const;
const ACCOUNT_FIELDS = ['type', 'id', 'name', 'department'];
const LANGUAGES = ['fr', 'en'];
/** Refusals of what was sent; other statuses are about the caller or the registry. */
const CONTENT_STATUS = new Set([400, 413, 415, 422]);

export interface MetadataTarget {
  registry: Registry;
  artefactId: string;
  signal: AbortSignal | undefined;
  /** Receives the names of the fields that were set. */
  set: string[];
  /** Receives what was dropped. */
  dropped: DroppedMetadata[];
}

/** By field. Lists have holes where an item was dropped, so that the others keep their index in the report. */
type Changes = Record<string, unknown>;

/** Sets the fields of the plug-in, in one request if the registry accepts them. @throws RegistryError */
export async function setMetadata(target: MetadataTarget, plugin: PluginToMigrate): Promise<void> {
  const changes: Changes = {};
  for (const field of FIELDS) {
    const value: unknown = plugin[field];
    if (value === undefined || value === null) continue;
    if (field === 'privateAccess' && Array.isArray(value)) changes[field] = value.map(cleanAccount);
    else changes[field] = isObject(value) ? pickLanguages(target, field, value) : value;
  }
  await patch(target, changes);
}

/** Sets the thumbnail. @throws RegistryError */
export async function setThumbnail(target: MetadataTarget, path: string): Promise<void> {
  try {
    await sendThumbnail(target.registry, target.artefactId, path, target.signal);
    target.set.push('thumbnail');
  } catch (error) {
    if (!isRefusedContent(error) && !isErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES')) throw error;
    target.dropped.push({ field: 'thumbnail', reason: (error as Error).message });
  }
}

/** Returns the category to upload with, and drops what cannot be one. */
export function pickCategory({ dropped }: MetadataTarget, { category }: PluginToMigrate): string | undefined {
  if (category === undefined || category === null) return undefined;
  if (typeof category === 'string' && category !== '') return category;
  dropped.push({ field: 'category', reason: 'it must be a non-empty string' });
  return undefined;
}

/** Leaves out fields that other systems keep with an account, such as `departmentName`. */
export function cleanAccount(account: AccountRef): AccountRef {
  if (!isObject(account)) return account;
  return Object.fromEntries(Object.entries(account).filter(([name]) => ACCOUNT_FIELDS.includes(name))) as never;
}

/** Tells whether the registry refused a value, rather than the request. */
export function isRefusedContent(error: unknown): error is RegistryError {
  return error instanceof RegistryError && CONTENT_STATUS.has(error.status);
}

/**
 * Sends the changes. On a refusal that names parts, sends the rest again; otherwise, as older registries name none,
 * each field by itself.
 */
async function patch(target: MetadataTarget, changes: Changes): Promise<void> {
  const names = Object.keys(changes);
  if (names.length === 0) return;
  const { registry, artefactId, signal, dropped, set } = target;
  try {
    await sendJson(registry, 'PATCH', ['artefacts', artefactId], withoutHoles(changes), signal);
    set.push(...names);
  } catch (error) {
    if (!isRefusedContent(error)) throw error;
    const refused = findRefused(error, changes);
    if (refused.size > 0) {
      for (const [path, reason] of refused) dropped.push({ field: path.slice(1).replaceAll('/', '.'), reason });
      await patch(target, without(changes, new Set(refused.keys())));
    } else if (names.length > 1) {
      for (const name of names) await patch(target, { [name]: changes[name] });
    } else {
      dropped.push({ field: names[0] ?? '', reason: error.message });
    }
  }
}

/** Maps refused fields and parts, such as `/title/fr`, to reasons; a field counts only if none of its parts does. */
function findRefused(error: RegistryError, changes: Changes): Map<string, string> {
  const fields = new Map<string, string>();
  const parts = new Map<string, string>();
  for (const { path, message } of error.errors) {
    const [, field = '', sentPart] = path.split('/');
    const value = changes[field];
    if (value === undefined) continue;
    const part = Array.isArray(value) ? Object.keys(value)[Number(sentPart)] : sentPart;
    const hasPart = part !== undefined && isObject(value) && Object.hasOwn(value, part);
    const [target, key] = hasPart ? [parts, `/${field}/${part}`] : [fields, `/${field}`];
    if (!target.has(key)) target.set(key, message);
  }
  const divided = new Set([...parts.keys()].map((key) => key.slice(0, key.lastIndexOf('/'))));
  return new Map([...parts, ...[...fields].filter(([key]) => !divided.has(key))]);
}

function without(changes: Changes, paths: ReadonlySet<string>): Changes {
  const kept: Changes = {};
  for (const [field, value] of Object.entries(changes)) {
    if (paths.has(`/${field}`)) continue;
    const parts = isObject(value) ? Object.keys(value) : [];
    const left = parts.filter((part) => !paths.has(`/${field}/${part}`));
    if (left.length === parts.length) kept[field] = value;
    else if (left.length > 0) kept[field] = pick(value as Changes, left);
  }
  return kept;
}

function pick(value: Changes, names: string[]): Changes {
  const picked = (Array.isArray(value) ? [] : {}) as Changes;
  for (const name of names) picked[name] = value[name];
  return picked;
}

function withoutHoles(changes: Changes): Changes {
  return Object.fromEntries(
    Object.entries(changes).map(([field, value]) => [field, Array.isArray(value) ? Object.values(value) : value]),
  );
}

/** Keeps the languages that a registry knows, and reports the others. */
function pickLanguages({ dropped }: MetadataTarget, field: string, texts: object): object {
  for (const name of Object.keys(texts)) {
    if (!LANGUAGES.includes(name)) dropped.push({ field: `${field}.${name}`, reason: 'only fr and en are supported' });
  }
  return Object.fromEntries(
    Object.entries(texts).filter(([name, text]) => LANGUAGES.includes(name) && text !== undefined && text !== null),
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
