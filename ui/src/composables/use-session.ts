import { computed, inject, shallowRef, type InjectionKey } from 'vue';
import { answerOf, api, auth, registryUrl } from '../api/client.ts';
import type { Account, Session, SignIn } from '../api/types.ts';

const KEY: InjectionKey<SessionState> = Symbol('session');

export type SessionState = ReturnType<typeof createSession>;
export const sessionKey = KEY;

/** The session and the sign-in mode of the registry: created once for the whole application. */
export function createSession() {
  const session = shallowRef<Session>({ kind: 'anonymous', isAdmin: false, hasGrant: false });
  const signIn = shallowRef<SignIn>({ mode: 'local' });
  return {
    session,
    signIn,
    isSignedIn: computed(() => session.value.kind === 'user'),
    isAdmin: computed(() => session.value.isAdmin),
    /** Whether the registry manages users and organisations itself. */
    isLocal: computed(() => signIn.value.mode === 'local'),

    async refresh(): Promise<void> {
      [session.value, signIn.value] = await Promise.all([
        answerOf(api.GET('/api/v1/session')),
        answerOf(api.GET('/api/v1/sign-in')),
      ]);
    },
    async actFor({ type, id, department }: Account): Promise<void> {
      session.value = await answerOf(
        api.PUT('/api/v1/session/account', { body: { type, id, ...(department && { department }) } }),
      );
    },
    /** Resolves with the URL where the identity provider ends its own session, if it has one. */
    async signOut(): Promise<string | undefined> {
      const { url } = await auth<{ url?: string }>('sign-out', { callbackURL: registryUrl.href });
      session.value = { kind: 'anonymous', isAdmin: false, hasGrant: false };
      return url;
    },
  };
}

export function useSession(): SessionState {
  const state = inject(KEY);
  if (!state) throw new Error('The application provides no session.');
  return state;
}
