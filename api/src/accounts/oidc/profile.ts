// Carries what a provider says of a user from the depth of better-auth to whoever handles the call.

import { AsyncLocalStorage } from 'node:async_hooks';

export type Profile = Record<string, unknown>;

export interface ProfileCarrier {
  /** Keeps the profile that was read in this call. */
  keep(profile: Profile): void;
  /** Runs a call, and gives what it returned with the profile that it kept. */
  run<T>(work: () => Promise<T>): Promise<{ result: T; profile: Profile | undefined }>;
}

export function createProfileCarrier(): ProfileCarrier {
  const calls = new AsyncLocalStorage<{ profile?: Profile }>();
  return {
    keep(profile) {
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
