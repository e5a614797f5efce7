import { defineError } from '../errors.ts';

export const RemoteUnavailableError = defineError('remote_unavailable', 502, 'Remote registry unavailable');
export const RemoteRefusedError = defineError('remote_refused', 502, 'Request refused by the remote registry');
export const RemoteAnswerInvalidError = defineError(
  'remote_answer_invalid',
  502,
  'Invalid response from the remote registry',
);

/** The bytes were replaced after the document was read: read the document again. Internal, never sent to clients. */
export class SlotChangedError extends Error {
  override readonly name = 'SlotChangedError';
}
