export { fingerprintOf, hasFingerprint, type Fingerprints } from './operations.ts';
export { fingerprintRepository } from './repository.ts';
