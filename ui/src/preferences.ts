// Preferences that this browser keeps between visits. Where storage is blocked, as in a frame of another site, nothing
// is saved or loaded.

import { unlessBlocked } from './browser-storage.ts';

type Preference = 'berth-language' | 'berth-theme';

export function loadPreference(name: Preference): string | undefined {
  return unlessBlocked(() => localStorage.getItem(name)) ?? undefined;
}

export function savePreference(name: Preference, value: string): void {
  unlessBlocked(() => {
    localStorage.setItem(name, value);
  });
}
