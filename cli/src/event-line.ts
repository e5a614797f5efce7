// Formats an event as one line for people.

import type { BerthEvent } from '@berth-registry/lib-node';
import { escapeValue } from './terminal.ts';

type Data = Readonly<Record<string, unknown>>;

/** Of the longest type, `artefact.metadata_changed`. */
const TYPE_WIDTH = 25;
const PREFIX = /^berth\./;
/** IDs have at most 300 characters; nothing else that is worth reading is longer. */
const MAX_CELL_LENGTH = 300;

/** What of the data is worth reading, by type; of other types, all of it. */
const SUMMARIES: Readonly<Record<string, (data: Data) => string>> = {
  'artefact.created': summariseContent,
  'artefact.updated': summariseContent,
  'artefact.metadata_changed': ({ fields }) => textOf(fields),
  'artefact.access_changed': (data) => (data['public'] === true ? 'public' : 'not public'),
  'artefact.deprecated': ({ deprecated }) => (deprecated === true ? 'deprecated' : 'no longer deprecated'),
  'artefact.deleted': ({ format }) => textOf(format),
  'slot.removed': ({ architecture, digest }) => `${textOf(architecture)} ${textOf(digest)}`,
};

/** `2026-12-01 08:11:33  artefact.updated  @acme/import-gpkg@1  1.2.3, noarch sha256:0a1b2c3d4e5f…  by user 7`. */
export function formatEvent({ time, type, subject, data }: BerthEvent): string {
  const name = textOf(type).replace(PREFIX, '');
  const summary = Object.hasOwn(SUMMARIES, name) ? SUMMARIES[name]?.(data) : summariseAll(data);
  const at = textOf(time).slice(0, 19).replace('T', ' ');
  const cells = [at || '-', name, textOf(subject) || '-', summary ?? '', byOf(data)];
  return cells
    .map((cell) => escapeValue(cell.length > MAX_CELL_LENGTH ? `${cell.slice(0, MAX_CELL_LENGTH)}…` : cell))
    .map((cell, column) => (column === 1 ? cell.padEnd(TYPE_WIDTH) : cell))
    .filter((cell) => cell !== '')
    .join('  ')
    .trimEnd();
}

/** `1.2.3, x64 sha256:0a1b2c3d4e5f…`, `france.pmtiles, sha256:0a1b2c3d4e5f…`. */
function summariseContent({ version, fileName, slots, digest, origin }: Data): string {
  const digests = isObject(slots)
    ? Object.entries(slots).map(([name, slot]) => `${name} ${textOf(isObject(slot) ? slot['digest'] : undefined)}`)
    : [textOf(digest)];
  const from = origin === undefined ? '' : `from ${textOf(origin)}`;
  return [textOf(version ?? fileName), ...digests, from].filter((part) => part.trim() !== '').join(', ');
}

function summariseAll(data: Data): string {
  return Object.entries(data)
    .flatMap(([name, value]) => (name === 'by' ? [] : [`${name} ${textOf(value)}`]))
    .join(', ');
}

/** Who did it; superadmins and internal services are told. */
function byOf({ by }: Data): string {
  if (!isObject(by)) return '';
  return ['by', by['kind'], by['id']].map(textOf).filter(Boolean).join(' ');
}

/** Not recursive, since the registry decides on the depth. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map((item: unknown) => (isObject(item) ? '…' : textOf(item))).join(' ');
  if (isObject(value)) return Object.keys(value).join(' ');
  if (value === undefined || value === null) return '';
  return `${value as string | number | boolean}`.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '$1…');
}

function isObject(value: unknown): value is Data {
  return typeof value === 'object' && value !== null;
}
