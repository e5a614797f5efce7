// Verifies identity tokens of pipelines: signature, issuer, audience and expiry.

import { createHash } from 'node:crypto';
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { CLOCK_TOLERANCE_SECONDS, isInvalidTokenError, SIGNATURE_ALGORITHMS } from '../access/index.ts';
import { IdentityTokenInvalidError, IssuerUnavailableError } from './errors.ts';
import type { Claims } from './operations.ts';

export interface CheckedToken {
  claims: Claims;
  /** SHA-256 of the signed part, hexadecimal: unaffected by a different encoding of the signature. */
  digest: string;
  /** Expiry of the token, ISO 8601. */
  expiresAt: string;
}

export interface TokenCheckOptions {
  /** Required audience of the tokens: PUBLIC_URL without a trailing slash. */
  audience: string;
  /** Timeout for requests to an issuer. Default 5 s. */
  timeoutMs?: number;
}

/** Reads the `iss` claim of an unverified token. @throws identity_token_invalid */
export function readIssuer(token: string): string {
  try {
    const { iss }: { iss?: unknown } = decodeJwt(token);
    if (typeof iss === 'string') return iss;
  } catch {
    /* Not a JSON Web Token: reported below. */
  }
  throw new IdentityTokenInvalidError(
    'This is not an identity token: send the JSON Web Token that the pipeline issued for the job.',
  );
}

/**
 * Creates the check for tokens of trusted issuers. Pass only trusted issuers: the check fetches their keys.
 * @throws identity_token_invalid; issuer_unavailable while the keys of the issuer cannot be fetched
 */
export function createTokenCheck({
  audience,
  timeoutMs = 5000,
}: TokenCheckOptions): (token: string, issuer: string) => Promise<CheckedToken> {
  const keySets = new Map<string, Promise<JWTVerifyGetKey>>();
  const keysOf = (issuer: string) => {
    const cached = keySets.get(issuer);
    if (cached) return cached;
    const keySet = discoverKeys(issuer, timeoutMs);
    keySets.set(issuer, keySet);
    return keySet;
  };
  return async (token, issuer) => {
    try {
      const { payload } = await jwtVerify(token, await keysOf(issuer), {
        issuer,
        audience,
        algorithms: SIGNATURE_ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['exp', 'iat'],
      });
      const signedPart = token.slice(0, token.lastIndexOf('.'));
      return {
        claims: payload,
        digest: createHash('sha256').update(signedPart).digest('hex'),
        expiresAt: new Date((payload.exp ?? 0) * 1000).toISOString(),
      };
    } catch (error) {
      const refusal = refusalFor(error, issuer, audience);
      // The issuer may have moved its keys: the next token runs discovery again.
      if (refusal instanceof IssuerUnavailableError) keySets.delete(issuer);
      throw refusal;
    }
  };
}

/** Finds the keys of an issuer (OpenID Connect Discovery 1.0, section 4). */
async function discoverKeys(issuer: string, timeoutMs: number): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`the issuer answered ${response.status}`);
  const configuration = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
  const keys = URL.parse(typeof configuration.jwks_uri === 'string' ? configuration.jwks_uri : '');
  if (configuration.issuer !== issuer || !keys || (issuer.startsWith('https:') && keys.protocol !== 'https:'))
    throw new Error('the OpenID configuration has another issuer, or no secure jwks_uri');
  return createRemoteJWKSet(keys, { timeoutDuration: timeoutMs });
}

function refusalFor(error: unknown, issuer: string, audience: string): Error {
  const invalid = (detail: string) => new IdentityTokenInvalidError(detail, { cause: error });
  if (error instanceof errors.JWTExpired)
    return invalid('This identity token has expired: request a new one from the pipeline.');
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud')
    return invalid(
      `This identity token has another audience: request one with the audience ${audience} from the pipeline.`,
    );
  if (error instanceof errors.JWTClaimValidationFailed)
    return invalid(
      `The ${error.claim} claim of this identity token is invalid: request a new token from the pipeline.`,
    );
  // An expiry that is not a date.
  if (error instanceof RangeError) return invalid('The exp claim of this identity token is invalid.');
  if (isInvalidTokenError(error)) return invalid(`This identity token was not signed by ${issuer}.`);
  return new IssuerUnavailableError(
    `The keys of ${issuer} cannot be fetched, so identity tokens cannot be verified: try again in a moment.`,
    { cause: error },
  );
}
