// Makes a multipart/form-data body (RFC 7578) as a stream: fields, then one file, which is not buffered.

import { randomBytes } from 'node:crypto';

export interface MultipartForm {
  fields: Record<string, string | undefined>;
  /** File name of the file part. */
  fileName: string;
  /** Size of the file in bytes; undefined if a stream's size is unknown. */
  sizeBytes: number | undefined;
}

export interface MultipartBody {
  contentType: string;
  contentLength: number | undefined;
  /** Wraps the file's bytes into the body. */
  wrap: (file: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

/** Prepares a body whose file part is named `file`. */
export function createMultipart({ fields, fileName, sizeBytes }: MultipartForm): MultipartBody {
  const boundary = `berth-${randomBytes(16).toString('hex')}`;
  const parts = Object.entries(fields).map(([name, value]) =>
    value === undefined
      ? ''
      : `--${boundary}\r\ncontent-disposition: form-data; name="${quote(name)}"\r\n\r\n${value}\r\n`,
  );
  const head = Buffer.from(
    `${parts.join('')}--${boundary}\r\ncontent-disposition: form-data; name="file"; ` +
      `filename="${quote(fileName)}"\r\n` +
      'content-type: application/octet-stream\r\n\r\n',
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    contentLength: sizeBytes === undefined ? undefined : head.length + sizeBytes + tail.length,
    wrap: async function* (file) {
      yield head;
      yield* file;
      yield tail;
    },
  };
}

/** Escapes a UTF-8 name as the HTML standard does for form data. */
function quote(name: string): string {
  return name.replace(/\r/g, '%0D').replace(/\n/g, '%0A').replace(/"/g, '%22');
}
