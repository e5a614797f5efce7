export { createAttemptLimit, type AttemptLimit, type AttemptLimitOptions } from './limit.ts';
export { forgetting } from './forgetting.ts';
export { networkOf } from './operations.ts';
export { TooManyAttemptsError } from './errors.ts';
