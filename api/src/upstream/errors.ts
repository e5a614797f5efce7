import { defineError } from '../errors.ts';

export const RemoteUnavailableError = defineError('remote_unavailable', 502, 'Remote registry unavailable');
export const RemoteRefusedError = defineError('remote_refused', 502, 'Remote registry refuses');
export const RemoteAnswerInvalidError = defineError(
  'remote_answer_invalid',
  502,
  'Invalid response from the remote registry',
);

/** The document was read before the bytes were replaced: it is worth reading it again. No client sees it. */
export class SlotMovedError extends Error {
  override readonly name = 'SlotMovedError';
}
