/** Accesses the browser's storage; undefined where it is blocked, as in a frame of another site. */
export function unlessBlocked<T>(access: () => T): T | undefined {
  try {
    return access();
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}
