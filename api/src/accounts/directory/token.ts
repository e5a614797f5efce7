// Verifies sessions of the Data Fair identity service: a JSON Web Token, split into two cookies so that pages can read
// the payload but not the signature.

import { createRemoteJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { CLOCK_TOLERANCE_SECONDS, isInvalidTokenError, SIGNATURE_ALGORITHMS } from '../../access/index.ts';
import { DirectoryUnavailableError, SessionInvalidError } from '../errors.ts';

const OrganizationSchema = Type.Object({
  id: Type.String({ minLength: 1 }),
  name: Type.Optional(Type.String()),
  role: Type.String(),
  department: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  departmentName: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

/** The fields of a session's payload that are used here. */
const PayloadSchema = Type.Object({
  id: Type.String({ minLength: 1 }),
  name: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
  // In every session token, empty if there are none; the service's tokens of invitations and actions lack it.
  organizations: Type.Array(OrganizationSchema),
  isAdmin: Type.Optional(Type.Union([Type.Boolean(), Type.Number()])),
  adminMode: Type.Optional(Type.Union([Type.Boolean(), Type.Number()])),
  /** The superadmin who acts as this user. */
  asAdmin: Type.Optional(Type.Unknown()),
  pseudoSession: Type.Optional(Type.Unknown()),
});

/**
 * Claims of tokens that the service signs with the same keys for other purposes: links that complete a sign-in, which
 * contain the whole user, and links that confirm one action.
 */
const OTHER_PURPOSES = ['temporary', 'action', 'anonymousAction'];

export type DirectoryPayload = Static<typeof PayloadSchema>;

export interface DirectoryTokenOptions {
  /** PRIVATE_DIRECTORY_URL without a trailing slash. */
  directoryUrl: string;
  /** DIRECTORY_TOKEN_ISSUER and DIRECTORY_TOKEN_AUDIENCE; the claims are not checked if undefined. */
  issuer?: string | undefined;
  audience?: string | undefined;
  /** How long fetched keys are cached. Default 10 min. */
  keysMaxAgeMs?: number;
  /** Minimum time between two fetches because of unknown keys. Default 1 min. */
  keysCooldownMs?: number;
  /** Timeout for fetching the keys. Default 5 s. */
  timeoutMs?: number;
}

/** Cached verified tokens: a verification costs as much as the rest of a request. */
const MAX_CACHED_TOKENS = 1000;

/**
 * Creates the check of a token, which returns undefined for an expired one.
 * @throws session_invalid for a token that the directory did not issue, or not for a session; directory_unavailable
 *   while its keys cannot be fetched
 */
export function createTokenCheck({
  directoryUrl,
  issuer,
  audience,
  keysMaxAgeMs = 600_000,
  keysCooldownMs = 60_000,
  timeoutMs = 5000,
}: DirectoryTokenOptions): (token: string) => Promise<DirectoryPayload | undefined> {
  const keys = createRemoteJWKSet(new URL(`${directoryUrl}/.well-known/jwks.json`), {
    cacheMaxAge: keysMaxAgeMs,
    cooldownDuration: keysCooldownMs,
    timeoutDuration: timeoutMs,
  });
  const cache = new Map<string, { payload: DirectoryPayload; expiresAt: number; verifiedAt: number }>();
  return async (token) => {
    const cached = cache.get(token);
    // Verified again after keysMaxAgeMs, so that a withdrawn key is not accepted for longer than the keys are cached.
    if (cached && Date.now() < Math.min(cached.expiresAt, cached.verifiedAt + keysMaxAgeMs)) return cached.payload;
    cache.delete(token);
    const verified = await verify(token, keys, { issuer, audience });
    if (!verified) return undefined;
    if (cache.size >= MAX_CACHED_TOKENS) cache.delete(cache.keys().next().value ?? '');
    cache.set(token, { ...verified, verifiedAt: Date.now() });
    return verified.payload;
  };
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey,
  { issuer, audience }: Pick<DirectoryTokenOptions, 'issuer' | 'audience'>,
): Promise<{ payload: DirectoryPayload; expiresAt: number } | undefined> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: SIGNATURE_ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
      ...(issuer !== undefined && { issuer }),
      ...(audience !== undefined && { audience }),
    });
    const expiresAt = (payload.exp ?? 0) * 1000;
    if (OTHER_PURPOSES.some((claim) => payload[claim]) || !Value.Check(PayloadSchema, payload)) throw invalid();
    return { payload, expiresAt };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return undefined;
    if (error instanceof SessionInvalidError) throw error;
    if (isInvalidTokenError(error)) throw invalid(error);
    throw new DirectoryUnavailableError(
      'The identity service does not respond, so sessions cannot be verified: try again soon. You stay signed in.',
      { cause: error },
    );
  }
}

function invalid(cause?: unknown): Error {
  return new SessionInvalidError('The session cookies were not issued by the identity service: sign in again.', {
    cause,
  });
}
