// Secret tokens of links that were mailed or passed on. They are in the fragment, `#token=…`, which browsers do not
// send, so that no log has them.

import { unlessBlocked } from './browser-storage.ts';

const INVITATION = 'berth-invitation';

/** @param hash of a location, with its `#` @returns empty without a token */
export function tokenInFragment(hash: string): string {
  return new URLSearchParams(hash.slice(1)).get('token') ?? '';
}

/** Keeps the token of an invitation in this tab while the invited person signs in. */
export function keepInvitation(token: string): void {
  unlessBlocked(() => {
    sessionStorage.setItem(INVITATION, token);
  });
}

/** @returns empty if none is kept */
export function keptInvitation(): string {
  return unlessBlocked(() => sessionStorage.getItem(INVITATION)) ?? '';
}

export function forgetInvitation(): void {
  unlessBlocked(() => {
    sessionStorage.removeItem(INVITATION);
  });
}
