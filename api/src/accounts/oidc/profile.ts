// Carries what a provider says of a user from the depth of better-auth to whoever handles the call.

import { AsyncLocalStorage } from 'node:async_hooks';

export type Profile = Record<string, unknown>;

const calls = new AsyncLocalStorage<{ profile?: Profile }>();

/** Keeps the profile that was read in this call. */
export function keepProfile(profile: Profile): void {
  const call = calls.getStore();
  if (call) call.profile = profile;
}

/** Runs a call, and gives what it returned with the profile that it kept. */
export async function withProfile<T>(work: () => Promise<T>): Promise<{ result: T; profile: Profile | undefined }> {
  const call: { profile?: Profile } = {};
  const result = await calls.run(call, work);
  return { result, profile: call.profile };
}
