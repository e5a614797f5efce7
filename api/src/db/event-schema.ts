// Tables of what has happened: the audit log, and the outbox of events for consumers.

import type { Generated } from 'kysely';

export interface EventSchema {
  audit_events: AuditEventsTable;
  events: EventsTable;
}

export interface AuditEventsTable {
  id: string;
  at: string;
  actor_kind: string;
  actor_id: string | null;
  actor_name: string | null;
  action: string;
  target_type: string;
  target_id: string;
  outcome: string;
  ip: string | null;
  request_id: string | null;
  /** JSON. */
  details: string | null;
}

/** The outbox: what happened, for consumers. Read in the order of (`tx_id`, `seq`). */
export interface EventsTable {
  seq: Generated<number>;
  /** PostgreSQL: the ID of its transaction or of a later one (0020-events.ts); below 0 for one of another server. */
  tx_id: Generated<number>;
  /** UUID: `id` of the CloudEvent, and the cursor behind it. */
  id: string;
  /** Without the prefix `berth.`. */
  type: string;
  /** ID of the artefact, key, remote registry or blob. */
  subject: string;
  time: string;
  /** JSON. */
  data: string;
  /** JSON: who did it, for those who may know. */
  actor: string | null;
  /** JSON: who could see the artefact last; only in the event of its deletion. */
  audience: string | null;
}
