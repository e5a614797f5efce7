// What consumers learn of a change of an artefact.

import { isDeepStrictEqual } from 'node:util';
import type { Account, Visibility } from '../access/index.ts';
import type { EventData, NewEvent } from '../events/index.ts';
import type { Artefact, Slot } from './artefact.ts';

/** Fields of the document that events of metadata name, beside those of the content and of access. */
const METADATA = [
  'title',
  'description',
  'group',
  'category',
  'documentation',
  'thumbnail',
  'origin',
] as const satisfies (keyof Artefact)[];

/** New content. @param slots those that are new; at least one of a file artefact */
export function contentEvent(
  type: 'artefact.created' | 'artefact.updated',
  { id, format, category, version, dataUpdatedAt, origin }: Artefact,
  slots: readonly Slot[],
): NewEvent {
  const [file] = slots;
  const data: EventData<'artefact.updated'> = {
    format,
    category,
    dataUpdatedAt,
    ...(version !== undefined && { version }),
    ...(origin !== undefined && { origin }),
    ...(format === 'npm'
      ? { slots: Object.fromEntries(slots.map((slot) => [slot.architecture, slotData(slot)])) }
      : file && {
          digest: file.digest,
          size: file.sizeBytes,
          ...(file.fileName !== undefined && { fileName: file.fileName }),
        }),
  };
  return { type, subject: id, data };
}

function slotData({ digest, sizeBytes, version }: Slot) {
  return { digest, size: sizeBytes, ...(version !== undefined && { version }) };
}

export function slotRemovedEvent({ id, dataUpdatedAt }: Artefact, { architecture, digest }: Slot): NewEvent {
  return { type: 'slot.removed', subject: id, data: { architecture, digest, dataUpdatedAt } };
}

/** What differs between two states, but for their content: none to three events. */
export function editEvents(before: Artefact, after: Artefact): NewEvent[] {
  const { id: subject } = after;
  const events: NewEvent[] = [];
  const fields = METADATA.filter((field) => !isDeepStrictEqual(before[field], after[field]));
  if (fields.length > 0) events.push({ type: 'artefact.metadata_changed', subject, data: { fields } });
  if (before.public !== after.public || !hasSameAccess(before, after))
    events.push({ type: 'artefact.access_changed', subject, data: { public: after.public } });
  if (before.deprecated !== after.deprecated)
    events.push({ type: 'artefact.deprecated', subject, data: { deprecated: after.deprecated } });
  return events;
}

/** What a synchronisation has changed in a mirror. @param before undefined for a new one */
export function mirrorEvents(
  before: { artefact: Artefact; slots: readonly Slot[] } | undefined,
  after: { artefact: Artefact; slots: readonly Slot[] },
): NewEvent[] {
  const { artefact, slots } = after;
  if (!before) return [contentEvent('artefact.created', artefact, slots)];
  if (before.artefact.format !== artefact.format)
    return [contentEvent('artefact.updated', artefact, slots), ...editEvents(before.artefact, artefact)];
  const oldSlots = new Map(before.slots.map((slot) => [slot.architecture, slot]));
  const isNew = ({ architecture, digest, uploadedAt }: Slot) => {
    const old = oldSlots.get(architecture);
    return old?.digest !== digest || old.uploadedAt !== uploadedAt;
  };
  const newSlots = slots.filter(isNew);
  const removed = before.slots.filter((old) => slots.every(({ architecture }) => architecture !== old.architecture));
  const hasContent =
    newSlots.length > 0 || (removed.length === 0 && before.artefact.dataUpdatedAt !== artefact.dataUpdatedAt);
  return [
    ...removed.map((slot) => slotRemovedEvent(artefact, slot)),
    ...(hasContent ? [contentEvent('artefact.updated', artefact, newSlots.length > 0 ? newSlots : slots)] : []),
    ...editEvents(before.artefact, artefact),
  ];
}

/** Who could see an artefact, without their names. */
export function audienceOf({ public: isPublic, privateAccess }: Artefact): Visibility {
  return { public: isPublic, privateAccess: privateAccess.map(withoutName) };
}

function hasSameAccess(one: Artefact, other: Artefact): boolean {
  const entries = ({ privateAccess }: Artefact) =>
    privateAccess.map(({ type, id, department = '' }) => JSON.stringify([type, id, department])).sort();
  return isDeepStrictEqual(entries(one), entries(other));
}

function withoutName({ type, id, department }: Account): Account {
  return { type, id, ...(department !== undefined && { department }) };
}
