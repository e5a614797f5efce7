export { createAttemptLimit, type AttemptLimit, type AttemptLimitOptions } from './limit.ts';
export { createSingleUse, type SingleUse, type SingleUseOptions } from './single-use.ts';
export { attemptCleanupJob } from './cleanup.ts';
export { networkOf } from './operations.ts';
export { TooManyAttemptsError } from './errors.ts';
