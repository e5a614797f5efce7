import type { JobContext } from '../../src/jobs/index.ts';

/** The context of a first run that nothing interrupts; `overrides` replace parts of it. */
export function jobContext<Progress = unknown>(overrides: Partial<JobContext<Progress>> = {}): JobContext<Progress> {
  return {
    signal: new AbortController().signal,
    interrupted: undefined,
    deaths: 0,
    progress: () => undefined,
    assertHeld: () => Promise.resolve(),
    ...overrides,
  };
}
