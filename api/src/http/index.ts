export { acceptMultipart, readMultipart } from './multipart.ts';
export type { MultipartFile, MultipartOptions } from './multipart.ts';
export { answerTo, httpDate, isNotModified } from './conditional.ts';
export type { Answer, ByteRange, Representation } from './conditional.ts';
export { createHttpServer, type HttpServerOptions } from './server.ts';
export { problems, ProblemSchema, registerProblems } from './problem.ts';
export { RangeNotSatisfiableError, UploadTooLargeError } from './errors.ts';
