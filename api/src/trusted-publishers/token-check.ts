// Whether a token was signed by who it says, for this registry, and still holds.

import { createHash } from 'node:crypto';
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { CLOCK_TOLERANCE_SECONDS, isTokenFault, SIGNATURE_ALGORITHMS } from '../access/index.ts';
import { IdentityTokenInvalidError, IssuerUnavailableError } from './errors.ts';
import type { Claims } from './operations.ts';

export interface CheckedToken {
  claims: Claims;
  /** SHA-256 of what is signed, hexadecimal: the same for a token whose signature was written in another way. */
  digest: string;
  /** When it ends, ISO 8601. */
  endsAt: string;
}

export interface TokenCheckOptions {
  /** Whom tokens must be made for: PUBLIC_URL without a trailing slash. */
  audience: string;
  /** How long an issuer may take to answer. Default 5 s. */
  timeoutMs?: number;
}

/** The claim `iss` of a token that was not checked. @throws identity_token_invalid */
export function readIssuer(token: string): string {
  try {
    const { iss }: { iss?: unknown } = decodeJwt(token);
    if (typeof iss === 'string') return iss;
  } catch {
    /* told below */
  }
  throw new IdentityTokenInvalidError(
    'This is no identity token of a pipeline: send the JSON Web Token that it makes for the job.',
  );
}

/**
 * Makes the check of tokens of issuers that are trusted; none but these are asked for their keys.
 * @throws identity_token_invalid; issuer_unavailable while its keys cannot be had
 */
export function createTokenCheck({
  audience,
  timeoutMs = 5000,
}: TokenCheckOptions): (token: string, issuer: string) => Promise<CheckedToken> {
  const keySets = new Map<string, Promise<JWTVerifyGetKey>>();
  const keysOf = (issuer: string) => {
    const known = keySets.get(issuer);
    if (known) return known;
    const found = discover(issuer, timeoutMs);
    keySets.set(issuer, found);
    return found;
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
      const signed = token.slice(0, token.lastIndexOf('.'));
      return {
        claims: payload,
        digest: createHash('sha256').update(signed).digest('hex'),
        endsAt: new Date((payload.exp ?? 0) * 1000).toISOString(),
      };
    } catch (error) {
      const refusal = refusalFor(error, issuer, audience);
      // It may have moved its keys: the next token asks where they are.
      if (refusal instanceof IssuerUnavailableError) keySets.delete(issuer);
      throw refusal;
    }
  };
}

/** Finds where an issuer publishes its keys (OpenID Connect Discovery 1.0, section 4). */
async function discover(issuer: string, timeoutMs: number): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`the issuer answered ${response.status}`);
  const found = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
  const keys = URL.parse(typeof found.jwks_uri === 'string' ? found.jwks_uri : '');
  if (found.issuer !== issuer || !keys || (issuer.startsWith('https:') && keys.protocol !== 'https:'))
    throw new Error('the configuration of the issuer is not its own');
  return createRemoteJWKSet(keys, { timeoutDuration: timeoutMs });
}

function refusalFor(error: unknown, issuer: string, audience: string): Error {
  const invalid = (detail: string) => new IdentityTokenInvalidError(detail, { cause: error });
  if (error instanceof errors.JWTExpired)
    return invalid('This identity token has ended: ask the pipeline for a new one.');
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud')
    return invalid(
      `This identity token was made for somebody else: ask the pipeline for one with the audience ${audience}.`,
    );
  if (error instanceof errors.JWTClaimValidationFailed)
    return invalid(`The claim ${error.claim} of this identity token does not hold.`);
  if (isTokenFault(error)) return invalid(`This identity token was not signed by ${issuer}.`);
  return new IssuerUnavailableError(
    `The keys of ${issuer} cannot be had, so nobody can be recognised: try again in a moment.`,
    { cause: error, headers: { 'retry-after': '5' } },
  );
}
