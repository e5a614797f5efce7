export {
  accountMatches,
  accountOf,
  ANONYMOUS,
  identityOf,
  isUnlimited,
  normaliseAccount,
  uploaderOf,
} from './caller.ts';
export type {
  Account,
  AnonymousCaller,
  Caller,
  InternalCaller,
  KeyIdentity,
  KeyScopes,
  ReadKeyCaller,
  UploadKeyCaller,
  Uploader,
  UserCaller,
} from './caller.ts';
export { AccountSchema } from './schemas.ts';
export { registerActor, SYSTEM_ACTOR, type Actor, type CurrentActor } from './actor.ts';
export { changeAs, currentCaller, isStillAllowed, type Rule } from './change.ts';
export { cameThroughProxy, resolveCaller } from './resolve-caller.ts';
export type { Authenticators, CallerRequest } from './resolve-caller.ts';
export { assertSameOrigin, type OriginRequest } from './same-origin.ts';
export { CLOCK_TOLERANCE_SECONDS, isInvalidTokenError, SIGNATURE_ALGORITHMS } from './signed-token.ts';
export { areScopesDecided, canSee, canSeeProvenance, enforce, isAllowed, notVisible, policy } from './policy.ts';
export type { DeclaredUpload, Refusal, Upload, Visibility } from './policy.ts';
export { NoAccessGrantError, NotVisibleError, UnauthenticatedError, UploadNotFoundError } from './errors.ts';
