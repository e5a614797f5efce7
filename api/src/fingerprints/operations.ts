import { createHmac } from 'node:crypto';

/** Fingerprints by the name of the secret. */
export type Fingerprints = Readonly<Record<string, string>>;

/**
 * Computes the fingerprint of a secret, in hexadecimal: it recognises the secret, and does not help to find one of
 * high entropy.
 */
export function fingerprintOf(name: string, secret: string): string {
  return createHmac('sha256', secret).update(`fingerprint of ${name}`).digest('hex');
}

/** Whether a secret has the stored fingerprint; true if none is stored. */
export function hasFingerprint(stored: Fingerprints, name: string, secret: string): boolean {
  return stored[name] === undefined || stored[name] === fingerprintOf(name, secret);
}
