// What the outbox contains: events in the order in which their changes became visible.

import type { Visibility } from '../access/index.ts';

/** A place in the outbox: behind the event with this ID. */
export interface Position {
  /** As in the table. */
  txId: number;
  seq: number;
  /** ID of the event, or `oldest`. */
  id: string;
}

export interface StoredEvent {
  id: string;
  /** Without the prefix `berth.`. */
  type: string;
  subject: string;
  time: string;
  /** JSON. */
  data: string;
  /** JSON: who did it. */
  actor: string | null;
  position: Position;
  /** Who may see the artefact: now, or before it was deleted. Undefined if it has no artefact, or nobody may. */
  visibility: Visibility | undefined;
}

/** Before all events that are kept. */
export const OLDEST: Position = { txId: Number.MIN_SAFE_INTEGER, seq: 0, id: 'oldest' };

export function isBefore(one: Position, other: Position): boolean {
  return one.txId < other.txId || (one.txId === other.txId && one.seq < other.seq);
}
