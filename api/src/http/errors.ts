import { defineError } from '../errors.ts';

export const RequestInvalidError = defineError('request_invalid', 400, 'Invalid request');
export const BodyInvalidError = defineError('body_invalid', 400, 'Invalid body');
export const BodyTooLargeError = defineError('body_too_large', 413, 'Body too large');
export const MediaTypeError = defineError('media_type_unsupported', 415, 'Unsupported media type');
export const RouteNotFoundError = defineError('route_not_found', 404, 'Route not found');
export const RangeNotSatisfiableError = defineError('range_not_satisfiable', 416, 'Range not satisfiable');
export const MultipartInvalidError = defineError('multipart_invalid', 400, 'Invalid multipart body');
export const UploadTooLargeError = defineError('upload_too_large', 413, 'Upload too large');
export const UploadAbortedError = defineError('upload_aborted', 400, 'Upload aborted by the client');
export const HeadersTooLargeError = defineError('headers_too_large', 431, 'Headers too large');
export const RequestTimeoutError = defineError('request_timeout', 408, 'Request timed out');
export const InternalError = defineError('internal_error', 500, 'Internal error');
export const ShuttingDownError = defineError('shutting_down', 503, 'Shutting down', { retryAfterSeconds: 2 });
export const UiNotBuiltError = defineError('ui_not_built', 503, 'Web interface not built');
