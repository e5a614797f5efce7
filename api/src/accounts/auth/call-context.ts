// Passes facts from callbacks inside better-auth to the handler of the call, and back (AsyncLocalStorage).

import { AsyncLocalStorage } from 'node:async_hooks';
import type { Actor } from '../../access/index.ts';
import type { Refusal } from '../oidc/identity.ts';

/** Claims that an OpenID provider sent about a user. */
export type Profile = Record<string, unknown>;

export interface AuthCallFacts extends Pick<Actor, 'ip' | 'requestId'> {
  /** Whether the call sets a password with the token of a mailed link. */
  isMailedReset?: boolean;
  /** Set once the provider has answered. */
  profile?: Profile;
  /** Why the user of the profile may not sign in. */
  refusal?: Refusal;
  /** The stored hash that the given password matched. */
  matchedHash?: string;
  /** What better-auth logged as errors. */
  failures?: Set<string>;
}

export interface AuthCalls {
  /** Runs a call; returns its result and the facts recorded meanwhile. */
  run<T>(facts: AuthCallFacts, work: () => Promise<T>): Promise<{ result: T; facts: AuthCallFacts }>;
  /** Facts of the current call, for callbacks to read and add to. @throws Error outside a call */
  current(): AuthCallFacts;
  /** Records an error that better-auth logs; ignored outside a call. */
  report(failure: string): void;
}

export function createAuthCalls(): AuthCalls {
  const calls = new AsyncLocalStorage<AuthCallFacts>();
  return {
    async run(known, work) {
      const facts = { ...known };
      const result = await calls.run(facts, work);
      return { result, facts };
    },
    current() {
      const facts = calls.getStore();
      if (!facts) throw new Error('better-auth was called outside a call of the gateway');
      return facts;
    },
    report(failure) {
      const facts = calls.getStore();
      if (facts) (facts.failures ??= new Set()).add(failure);
    },
  };
}
