// What this browser keeps from visit to visit. Where it keeps nothing, as in a frame of another site, there is nothing
// to recall.

type Kept = 'berth-language' | 'berth-theme';

export function recall(name: Kept): string | undefined {
  return whereAllowed(() => localStorage.getItem(name)) ?? undefined;
}

export function keep(name: Kept, value: string): void {
  whereAllowed(() => {
    localStorage.setItem(name, value);
  });
}

function whereAllowed<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}
