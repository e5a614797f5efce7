// What clients have changed, by responses: which events must exist, and which may.

import type { StreamedEvent } from './event-stream.ts';

/** A change without a response may or may not have been made. */
interface Sent {
  signature: string;
  isAcknowledged: boolean;
}

/** Outcome of a request: `done` if it has changed something, `nothing` if there was nothing to change. */
export type Outcome = 'done' | 'nothing';

export interface ChangeLedger {
  /** Number of requests with and without a response. */
  readonly counts: { acknowledged: number; unanswered: number };
  /**
   * Sends a request, and records it in its lane: changes that one client makes one after the other.
   * @param signature what `signatureOf` the event returns
   * @param send throws if no response arrived, or an unexpected one (UnexpectedResponse)
   * @returns false if no response arrived
   */
  attempt(lane: string, signature: string, send: () => Promise<Outcome>): Promise<boolean>;
  /** Describes lanes whose events are not those of all acknowledged changes, in order, and some of the others. */
  findBroken(events: readonly StreamedEvent[], laneOf: (event: StreamedEvent) => string): string[];
}

export class UnexpectedResponse extends Error {}

export function createChangeLedger(): ChangeLedger {
  const lanes = new Map<string, Sent[]>();
  const counts = { acknowledged: 0, unanswered: 0 };
  const unexpected: string[] = [];
  return {
    counts,
    async attempt(lane, signature, send) {
      const sent = lanes.get(lane) ?? [];
      lanes.set(lane, sent);
      try {
        const isDone = (await send()) === 'done';
        if (isDone) sent.push({ signature, isAcknowledged: true });
        counts.acknowledged += isDone ? 1 : 0;
        return true;
      } catch (error) {
        if (error instanceof UnexpectedResponse) unexpected.push(`${lane}: ${error.message}`);
        else if (!isRefusedConnection(error)) {
          sent.push({ signature, isAcknowledged: false });
          counts.unanswered++;
        }
        return false;
      }
    },
    findBroken(events, laneOf) {
      const found = Map.groupBy(events, laneOf);
      const broken = [...new Set([...lanes.keys(), ...found.keys()])].flatMap((lane) => {
        const signatures = (found.get(lane) ?? []).map(signatureOf);
        const sent = lanes.get(lane) ?? [];
        if (matches(sent, signatures)) return [];
        const changes = sent.map(({ signature, isAcknowledged }) => signature + (isAcknowledged ? '' : '?'));
        return [`${lane} has the events ${signatures.join(', ')} of the changes ${changes.join(', ')}`];
      });
      return [...unexpected, ...broken];
    },
  };
}

/** What distinguishes changes in a lane. */
export function signatureOf({ type, data }: StreamedEvent): string {
  const [digest] = digestsOf(data);
  return digest === undefined ? type : `${type.replace(/created|updated/, 'uploaded')} ${digest}`;
}

/** Digests of the content that an event names, by architecture. */
export function slotsOf(data: StreamedEvent['data']): [architecture: string, digest: string][] {
  const { slots = {} } = data as { slots?: Record<string, { digest: string }> };
  return Object.entries(slots).map(([architecture, { digest }]) => [architecture, digest]);
}

const digestsOf = (data: StreamedEvent['data']) => slotsOf(data).map(([, digest]) => digest);

/** Whether events are those of all acknowledged changes, in order, and of some of the others. */
function matches(sent: readonly Sent[], signatures: readonly string[]): boolean {
  // How many of the events the changes so far may explain.
  let explained = new Set([0]);
  for (const { signature, isAcknowledged } of sent) {
    const next = [...explained].filter((count) => signatures[count] === signature).map((count) => count + 1);
    explained = new Set(isAcknowledged ? next : [...explained, ...next]);
  }
  return explained.has(signatures.length);
}

/** Then the request has not left this process. */
function isRefusedConnection(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } };
  return cause?.code === 'ECONNREFUSED';
}
