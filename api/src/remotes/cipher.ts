// Encrypts API keys of remote registries at rest: AES-256-GCM under CIPHER_PASSWORD, bound to their registry.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { BerthError } from '../errors.ts';
import { RemoteKeyUnreadableError } from './errors.ts';

export interface Cipher {
  /** @returns `v1:<base64url of nonce, tag and ciphertext>` */
  encrypt(text: string, boundTo: string): string;
  /** @throws remote_key_unreadable if the password or `boundTo` differs, or the text was tampered with */
  decrypt(encrypted: string, boundTo: string): string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** @param password CIPHER_PASSWORD, of high entropy, at least 32 characters */
export function createCipher(password: string): Cipher {
  const key = new Uint8Array(hkdfSync('sha256', password, '', 'berth remote registries', 32));
  return {
    encrypt(text, boundTo) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(boundTo));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `v1:${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')}`;
    },
    decrypt(encrypted, boundTo) {
      const bytes = Buffer.from(encrypted.replace(/^v1:/, ''), 'base64url');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
          .setAAD(Buffer.from(boundTo))
          .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        return decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
      } catch (error) {
        throw unreadableKey(error);
      }
    },
  };
}

/** The error of a key that was encrypted under another password. */
export function unreadableKey(cause?: unknown): BerthError {
  return new RemoteKeyUnreadableError(
    'The key of this remote registry cannot be decrypted, since CIPHER_PASSWORD has changed: enter the key again.',
    { cause },
  );
}
