// Passes the provider's profile from a callback inside better-auth to the handler of the call (AsyncLocalStorage).

import { AsyncLocalStorage } from 'node:async_hooks';

export type Profile = Record<string, unknown>;

export interface ProfileContext {
  /** Records the profile for the current call. */
  record(profile: Profile): void;
  /** Runs a call; returns its result and the profile recorded meanwhile. */
  run<T>(work: () => Promise<T>): Promise<{ result: T; profile: Profile | undefined }>;
}

export function createProfileContext(): ProfileContext {
  const calls = new AsyncLocalStorage<{ profile?: Profile }>();
  return {
    record(profile) {
      const call = calls.getStore();
      if (call) call.profile = profile;
    },
    async run(work) {
      const call: { profile?: Profile } = {};
      const result = await calls.run(call, work);
      return { result, profile: call.profile };
    },
  };
}
