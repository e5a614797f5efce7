// Why a request to an upload fails, and whether its bytes would fail again.

import { BerthError } from '../errors.ts';
import { UploadTooLargeError } from '../http/index.ts';
import { UploadGoneError, UploadLockedError } from './errors.ts';

const UNAUTHORIZED = 401;

/** Checks whether the same bytes would be rejected again, also with valid credentials of the same caller. */
export function isRejection(error: unknown): boolean {
  const isRefusal = error instanceof BerthError && error.status < 500;
  return isRefusal && error.status !== UNAUTHORIZED && !(error instanceof UploadLockedError);
}

export function takenOverError(): Error {
  return new UploadLockedError('Another request has taken over this upload. Query its offset with HEAD.');
}

export function goneError(): Error {
  return new UploadGoneError('The upload has expired or was ended. Start a new one.');
}

export function tooLargeError(sizeBytes: number): Error {
  return new UploadTooLargeError(`The request exceeds the ${sizeBytes} bytes announced by Upload-Length.`);
}
