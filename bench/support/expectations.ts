// Allowed states of slots after a kill: the last acknowledged one, or any sent since without a response.

/** A digest, or ABSENT. */
export type SlotState = string;
export const ABSENT = 'absent';

interface Expectation {
  acknowledged: SlotState;
  unanswered: Set<SlotState>;
}

export interface Expectations {
  /** Number of requests with and without a response. */
  readonly counts: { acknowledged: number; unanswered: number };
  /**
   * Sends a request that sets the state of a slot (`'<id> <architecture>'`), and records whether it was acknowledged.
   * @param send throws if no response arrived; returns a description of an unexpected response
   */
  attempt(slot: string, state: SlotState, send: () => Promise<string | undefined>): Promise<void>;
  /** Describes slots in a state that is not allowed. @param actual states by slot; missing ones are absent */
  findBroken(actual: ReadonlyMap<string, SlotState>): string[];
  /** Unexpected responses. */
  readonly unexpected: string[];
}

/** Allows one attempt at a time per slot, so that responses arrive in commit order. */
export function createExpectations(): Expectations {
  const expectations = new Map<string, Expectation>();
  const counts = { acknowledged: 0, unanswered: 0 };
  const unexpected: string[] = [];
  return {
    counts,
    unexpected,
    async attempt(slot, state, send) {
      const expectation = expectations.get(slot) ?? { acknowledged: ABSENT, unanswered: new Set() };
      expectations.set(slot, expectation);
      expectation.unanswered.add(state);
      try {
        const complaint = await send();
        if (complaint !== undefined) {
          unexpected.push(`${slot}: ${complaint}`);
          return;
        }
        expectations.set(slot, { acknowledged: state, unanswered: new Set() });
        counts.acknowledged++;
      } catch {
        counts.unanswered++;
      }
    },
    findBroken(actual) {
      const isExpected = (slot: string, state: SlotState) => {
        const { acknowledged = ABSENT, unanswered } = expectations.get(slot) ?? {};
        return state === acknowledged || unanswered?.has(state);
      };
      return [...new Set([...expectations.keys(), ...actual.keys()])].flatMap((slot) => {
        const state = actual.get(slot) ?? ABSENT;
        return isExpected(slot, state)
          ? []
          : [`${slot} holds ${state}, but ${expectations.get(slot)?.acknowledged} was acknowledged`];
      });
    },
  };
}
