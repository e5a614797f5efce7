// What a JSON Web Token of somebody else must be to count here: of an identity service, or of a pipeline.

import { errors } from 'jose';

/** Signatures that need no secret of the issuer. */
export const SIGNATURE_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];
/** Clocks of two machines differ. */
export const CLOCK_TOLERANCE_SECONDS = 30;

const FAULTS = [
  errors.JWSInvalid,
  errors.JWTInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JWTClaimValidationFailed,
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
];

/**
 * Tells whether verifying failed by the token itself; everything else goes wrong while the keys are asked for. One
 * that has expired is told apart by the caller.
 */
export function isTokenFault(error: unknown): boolean {
  return FAULTS.some((fault) => error instanceof fault);
}
