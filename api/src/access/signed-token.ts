// Rules for JSON Web Tokens of other issuers: the identity service and CI pipelines.

import { errors } from 'jose';

/** Asymmetric algorithms, which are verified with the issuer's public key. */
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
/** Tolerated clock difference between the issuer and this server. */
export const CLOCK_TOLERANCE_SECONDS = 30;

const INVALID_TOKEN_ERRORS = [
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
 * Tells whether verification failed because of the token itself. Other errors come from fetching the keys; the caller
 * handles `JWTExpired` separately.
 */
export function isInvalidTokenError(error: unknown): boolean {
  return INVALID_TOKEN_ERRORS.some((type) => error instanceof type);
}
