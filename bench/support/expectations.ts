// What slots may hold after kills: what was acknowledged last, or anything that was sent since without an answer.

/** A digest, or that there is nothing. */
export type SlotState = string;
export const ABSENT = 'absent';

interface Expectation {
  acknowledged: SlotState;
  unanswered: Set<SlotState>;
}

export interface Expectations {
  /** Counts of what was answered and of what was not. */
  readonly counts: { acknowledged: number; unanswered: number };
  /**
   * Sends what is to bring a slot (`'<id> <architecture>'`) into a state, and remembers whether that was acknowledged.
   * @param send throws when no answer came; gives an error's text when the answer is one that should not be
   */
  attempt(slot: string, state: SlotState, send: () => Promise<string | undefined>): Promise<void>;
  /** Tells what is wrong with what slots hold; those that are not in `held` are absent. */
  findBroken(held: ReadonlyMap<string, SlotState>): string[];
  /** Answers that should not have been. */
  readonly refused: string[];
}

/** Only one attempt at a time on each slot, so that the order of answers is the order of commits. */
export function createExpectations(): Expectations {
  const expectations = new Map<string, Expectation>();
  const counts = { acknowledged: 0, unanswered: 0 };
  const refused: string[] = [];
  return {
    counts,
    refused,
    async attempt(slot, state, send) {
      const expectation = expectations.get(slot) ?? { acknowledged: ABSENT, unanswered: new Set() };
      expectations.set(slot, expectation);
      expectation.unanswered.add(state);
      try {
        const complaint = await send();
        if (complaint !== undefined) {
          refused.push(`${slot}: ${complaint}`);
          return;
        }
        expectations.set(slot, { acknowledged: state, unanswered: new Set() });
        counts.acknowledged++;
      } catch {
        counts.unanswered++;
      }
    },
    findBroken(held) {
      const isExpected = (slot: string, state: SlotState) => {
        const { acknowledged = ABSENT, unanswered } = expectations.get(slot) ?? {};
        return state === acknowledged || unanswered?.has(state);
      };
      return [...new Set([...expectations.keys(), ...held.keys()])].flatMap((slot) => {
        const state = held.get(slot) ?? ABSENT;
        return isExpected(slot, state)
          ? []
          : [`${slot} holds ${state}, but ${expectations.get(slot)?.acknowledged} was acknowledged`];
      });
    },
  };
}
