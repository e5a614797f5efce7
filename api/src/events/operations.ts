// Which events a caller gets, and how they look.

import { canSee, canSeeProvenance, enforce, isAllowed, policy, type Caller } from '../access/index.ts';
import { quote } from '../errors.ts';
import { EventTypeUnknownError } from './errors.ts';
import { EVENT_TYPES, isOfArtefact, TYPE_PREFIX, type EventType } from './event-types.ts';
import type { StoredEvent } from './outbox.ts';

/** Which events a request asks for. */
export interface EventFilter {
  /** Undefined: all. */
  types: ReadonlySet<string> | undefined;
  /** IDs; undefined: events of all artefacts, and others. */
  artefacts: ReadonlySet<string> | undefined;
}

const NAMES = Object.keys(EVENT_TYPES) as EventType[];

/**
 * Reads the filter of a request.
 * @throws event_type_unknown; unauthenticated or forbidden for a type that the caller never gets
 */
export function toFilter(
  caller: Caller,
  { types, artefact }: { types?: string | string[] | undefined; artefact?: string | string[] | undefined },
): EventFilter {
  const texts = [types ?? []]
    .flat()
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');
  const artefacts = [artefact ?? []].flat();
  return {
    types: texts.length === 0 ? undefined : new Set(texts.flatMap((text) => typesOf(caller, text))),
    artefacts: artefacts.length === 0 ? undefined : new Set(artefacts),
  };
}

function typesOf(caller: Caller, text: string): string[] {
  const name = text.startsWith(TYPE_PREFIX) ? text.slice(TYPE_PREFIX.length) : text;
  const matching = name.endsWith('.') ? NAMES.filter((it) => it.startsWith(name)) : NAMES.filter((it) => it === name);
  if (matching.length === 0 && name !== '')
    throw new EventTypeUnknownError(`There is no event type ${quote(text)}: use some of ${NAMES.join(', ')}.`);
  if (!name.endsWith('.') && matching.some((type) => !isOfArtefact(type)))
    enforce(policy.seeOperationalEvents(caller));
  return name === '' ? NAMES : matching;
}

/** Tells whether a caller gets an event that a request asks for. */
export function isWanted(caller: Caller, { types, artefacts }: EventFilter, row: StoredEvent): boolean {
  if (types && !types.has(row.type)) return false;
  if (artefacts && !(isOfArtefact(row.type) && artefacts.has(row.subject))) return false;
  if (isAllowed(policy.seeOperationalEvents(caller))) return true;
  return row.visibility !== undefined && canSee(caller, row.visibility);
}

/**
 * Returns a function that renders an event as the caller may see it, as JSON on one line: once with and once without
 * who did it, however many streams send it.
 * @param source PUBLIC_URL
 */
export function createRenderer(source: string): (caller: Caller, event: StoredEvent) => string {
  const rendered = new WeakMap<StoredEvent, { full?: string; limited?: string }>();
  return (caller, event) => {
    const texts = rendered.get(event) ?? {};
    rendered.set(event, texts);
    return canSeeProvenance(caller)
      ? (texts.full ??= render(event, source, true))
      : (texts.limited ??= render(event, source, false));
  };
}

function render(event: StoredEvent, source: string, isFull: boolean): string {
  const { id, type, subject, time, data, actor } = event;
  const by = actor !== null && isFull ? { by: JSON.parse(actor) as unknown } : {};
  return JSON.stringify({
    specversion: '1.0',
    id,
    source,
    type: `${TYPE_PREFIX}${type}`,
    subject,
    time,
    datacontenttype: 'application/json',
    data: { ...(JSON.parse(data) as object), ...by },
  });
}
