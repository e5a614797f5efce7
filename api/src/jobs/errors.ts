import { defineError } from '../errors.ts';

/**
 * Somebody else has the lease by now, or its holder could not renew it in time. Nothing that it began may be
 * committed.
 */
export const LeaseLostError = defineError('lease_lost', 503, 'The work was taken over');

export const JobRunningError = defineError('job_running', 409, 'This work is under way already');
