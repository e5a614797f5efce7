export { acceptRawBody, LARGE_BODY_LIMIT_BYTES, readRawBody, refuseNull } from './body.ts';
export { readMultipart, readSmallFile } from './multipart.ts';
export type { FormFile, FormPart } from './multipart.ts';
export { answerTo, httpDate, isNotModified } from './conditional.ts';
export { contentDisposition } from './disposition.ts';
export type { Answer, ByteRange, Representation } from './conditional.ts';
export { createLogOutput, type LogOutput, type LogStream } from './log-output.ts';
export { createHttpServer, type HttpServerOptions } from './server.ts';
export { problems, ProblemSchema, registerProblems } from './problem.ts';
export {
  MediaTypeError,
  RangeNotSatisfiableError,
  RequestInvalidError,
  UploadAbortedError,
  UploadTooLargeError,
} from './errors.ts';
export { FormFileSchema, registerApiDescription, registerOpenApiRoute } from './api-description.ts';
export { registerHealth, type HealthParts, type ServerPhase } from './health.ts';
export { createMetrics, registerMetricsRoute, type GaugeValue, type Metrics } from './metrics.ts';
export { registerStaticUi } from './static-ui.ts';
export { MAX_PAGE_SIZE, pageFields } from './page-query.ts';
export { isProxied } from './proxied.ts';
export { registerPrivateDocuments } from './caching.ts';
export { sendBytes, type ByteSource } from './send-bytes.ts';
export {
  eventStreams,
  type EventStream,
  type EventStreamOptions,
  type OpenEventStream,
  type ServerSentEvent,
} from './events.ts';
