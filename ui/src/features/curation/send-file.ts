import { DetailedError, Upload } from 'tus-js-client';
import { ApiProblem, pathTo } from '../../api/client.ts';

export interface FileToSend {
  file: File;
  id: string;
  format: 'npm' | 'file';
  category?: string;
  /** Only for npm tarballs; default `noarch`. */
  architecture?: string;
}

/** Size of one request, the most that an interruption loses. */
const CHUNK_BYTES = 64 * 1024 * 1024;
const RETRY_DELAYS_MS = [0, 1000, 3000, 10_000];

/**
 * Uploads a file in chunks. An upload that was interrupted, in this visit or an earlier one, resumes where it stopped.
 * @throws ApiProblem, or an AbortError if `signal` aborts
 */
export async function sendFile(
  { file, id, format, category, architecture }: FileToSend,
  onProgress: (sent: number, total: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const metadata: Record<string, string> = {
    id,
    format,
    ...(category && { category }),
    ...(architecture && format === 'npm' && { architecture }),
    ...(format === 'file' && { fileName: file.name }),
  };
  await new Promise<void>((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint: pathTo('api/v1/uploads'),
      metadata,
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      removeFingerprintOnSuccess: true,
      fingerprint: (source) =>
        Promise.resolve(
          ['berth', id, format, source.name, source.size, source.lastModified, architecture ?? ''].join('/'),
        ),
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        return (
          status === 0 ||
          status >= 500 ||
          status === 423 ||
          (error.originalResponse?.getBody().includes('upload_offset_conflict') ?? false)
        );
      },
      onProgress: (sent, total) => {
        onProgress(sent, total ?? file.size);
      },
      onSuccess: () => {
        resolve();
      },
      onError: (error) => {
        reject(toProblem(error));
      },
    });
    signal.addEventListener(
      'abort',
      () => {
        void upload.abort().then(() => {
          reject(new DOMException('The upload was aborted.', 'AbortError'));
        });
      },
      { once: true },
    );
    void upload.findPreviousUploads().then(([previous]) => {
      if (previous) upload.resumeFromPreviousUpload(previous);
      upload.start();
    }, reject);
  });
}

function toProblem(error: Error): Error {
  const response = error instanceof DetailedError ? error.originalResponse : undefined;
  if (!response) return new ApiProblem(0, { code: 'unreachable' });
  try {
    return new ApiProblem(response.getStatus(), JSON.parse(response.getBody()) as object);
  } catch {
    return new ApiProblem(response.getStatus(), { message: error.message });
  }
}

/** Guesses the format from a file's name: npm names its tarballs `.tgz`. */
export function formatOf(name: string): 'npm' | 'file' {
  return /\.(tgz|tar\.gz)$/i.test(name) ? 'npm' : 'file';
}

/** Proposes an ID: `acme-import@1` for `acme-import-1.2.3.tgz`; for other files the name without extension. */
export function proposeId(name: string): string {
  const tarball = /^(.+?)-(\d+)\.\d+\.\d+.*\.(tgz|tar\.gz)$/i.exec(name);
  return tarball ? `${tarball[1]}@${tarball[2]}` : name.replace(/\.[^.]+$/, '');
}
