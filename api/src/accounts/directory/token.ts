// The session of the Data Fair identity service: a JSON Web Token, cut in two cookies so that pages can read what it
// says and not its signature.

import { createRemoteJWKSet, errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { CLOCK_TOLERANCE_SECONDS, isTokenFault, SIGNATURE_ALGORITHMS } from '../../access/index.ts';
import { DirectoryUnavailableError, SessionInvalidError } from '../errors.ts';

const OrganizationSchema = Type.Object({
  id: Type.String({ minLength: 1 }),
  name: Type.Optional(Type.String()),
  role: Type.String(),
  department: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  departmentName: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

/** What of the token's payload counts here. */
const PayloadSchema = Type.Object({
  id: Type.String({ minLength: 1 }),
  name: Type.Optional(Type.String()),
  email: Type.Optional(Type.String()),
  organizations: Type.Optional(Type.Array(OrganizationSchema)),
  isAdmin: Type.Optional(Type.Union([Type.Boolean(), Type.Number()])),
  adminMode: Type.Optional(Type.Union([Type.Boolean(), Type.Number()])),
  pseudoSession: Type.Optional(Type.Unknown()),
});

export type DirectoryPayload = Static<typeof PayloadSchema>;

export interface DirectoryTokenOptions {
  /** PRIVATE_DIRECTORY_URL without a trailing slash. */
  directoryUrl: string;
  /** How long its keys are taken without asking again. Default 10 min. */
  keysLiveMs?: number;
  /** For how long an unknown key does not make the keys be asked for again. Default 1 min. */
  keysRestMs?: number;
  /** How long the directory may take to answer. Default 5 s. */
  timeoutMs?: number;
}

/** Verified tokens that are remembered: verifying one costs as much as a request does besides. */
const REMEMBERED_TOKENS = 1000;

/**
 * Makes the check of a token. Undefined stands for one that has expired: then nobody is signed in any more.
 * @throws session_invalid for one that the directory has not made; directory_unavailable while its keys cannot be had
 */
export function createTokenCheck({
  directoryUrl,
  keysLiveMs = 600_000,
  keysRestMs = 60_000,
  timeoutMs = 5000,
}: DirectoryTokenOptions): (token: string) => Promise<DirectoryPayload | undefined> {
  const keys = createRemoteJWKSet(new URL(`${directoryUrl}/.well-known/jwks.json`), {
    cacheMaxAge: keysLiveMs,
    cooldownDuration: keysRestMs,
    timeoutDuration: timeoutMs,
  });
  const remembered = new Map<string, { payload: DirectoryPayload; expiresAt: number; verifiedAt: number }>();
  return async (token) => {
    const known = remembered.get(token);
    // A key that the directory has withdrawn counts no longer than its keys are taken without asking.
    if (known && Date.now() < Math.min(known.expiresAt, known.verifiedAt + keysLiveMs)) return known.payload;
    remembered.delete(token);
    const verified = await verify(token, keys);
    if (!verified) return undefined;
    if (remembered.size >= REMEMBERED_TOKENS) remembered.delete(remembered.keys().next().value ?? '');
    remembered.set(token, { ...verified, verifiedAt: Date.now() });
    return verified.payload;
  };
}

async function verify(
  token: string,
  keys: JWTVerifyGetKey,
): Promise<{ payload: DirectoryPayload; expiresAt: number } | undefined> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: SIGNATURE_ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
    });
    const expiresAt = (payload.exp ?? 0) * 1000;
    if (!Value.Check(PayloadSchema, payload)) throw invalid();
    return { payload, expiresAt };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return undefined;
    if (error instanceof SessionInvalidError) throw error;
    if (isTokenFault(error)) throw invalid(error);
    throw new DirectoryUnavailableError(
      'The identity service does not answer, so nobody can be recognised: try again in a moment. You stay signed in.',
      { cause: error, headers: { 'retry-after': '5' } },
    );
  }
}

function invalid(cause?: unknown): Error {
  return new SessionInvalidError('The session cookies are not those that the identity service made: sign in again.', {
    cause,
  });
}
