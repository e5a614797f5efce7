export { createJobs, type Jobs, type JobsOptions } from './jobs.ts';
export { JobRunningError, LeaseLostError } from './errors.ts';
export type { JobState } from './job-state-repository.ts';
export type { Lease, Leases } from './leases.ts';
export type { Job, JobContext, JobFamily } from './run.ts';
export { inBatches, type InBatchesOptions } from './in-batches.ts';
export { createBatcher, type Batcher } from './batcher.ts';
export { startHeartbeat, type Heartbeat } from './heartbeat.ts';
export { createThrottle } from './throttle.ts';
