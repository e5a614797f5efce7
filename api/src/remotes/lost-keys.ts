// Keys of remote registries that were encrypted under a CIPHER_PASSWORD that is lost.

import type { Executor, Tx } from '../db/index.ts';
import { createCipher, unreadableKey, type Cipher } from './cipher.ts';
import { recordOutcome } from './outcome.ts';
import { remoteRepository } from './repository.ts';

/** Lists the registries whose key cannot be decrypted, by URL. @param cipherPassword CIPHER_PASSWORD */
export async function listUnreadableKeys(executor: Executor, cipherPassword: string): Promise<string[]> {
  const cipher = createCipher(cipherPassword);
  const keys = await remoteRepository(executor).listKeys();
  return keys.filter(({ id, key }) => !isReadable(cipher, key, id)).map(({ id }) => id);
}

/** Shows for registries that their key must be entered again, as their next synchronisation would. */
export async function markUnreadableKeys(tx: Tx, ids: readonly string[]): Promise<void> {
  const { message, code } = unreadableKey();
  for (const id of ids) await recordOutcome(tx, id, { code, text: message });
}

function isReadable(cipher: Cipher, key: string, id: string): boolean {
  try {
    cipher.decrypt(key, id);
    return true;
  } catch {
    return false;
  }
}
