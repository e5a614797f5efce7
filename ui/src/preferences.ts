// Preferences that this browser keeps between visits. Where storage is blocked, as in a frame of another site, nothing
// is saved or loaded.

type Preference = 'berth-language' | 'berth-theme';

export function loadPreference(name: Preference): string | undefined {
  return unlessBlocked(() => localStorage.getItem(name)) ?? undefined;
}

export function savePreference(name: Preference, value: string): void {
  unlessBlocked(() => {
    localStorage.setItem(name, value);
  });
}

function unlessBlocked<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}
