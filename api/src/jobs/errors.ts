import { defineError } from '../errors.ts';

/**
 * Another holder has the lease, or it could not be renewed in time. Work that was started under it must not be
 * committed.
 */
export const LeaseLostError = defineError('lease_lost', 503, 'Lease lost', { retryAfterSeconds: 5 });

export const JobRunningError = defineError('job_running', 409, 'Job already running');
