// Credentials of a role that Kubernetes, a container service or a virtual machine gives to Berth, for a server whose
// settings contain no keys. The SDK looks for them as Amazon's own tools do, and renews them before they expire.

import type { S3 } from '@aws-sdk/client-s3';

type Find = () => ReturnType<S3['config']['credentials']>;

/**
 * Bounds the SDK's search for credentials: it asks a silent source four times for a second each, but waits for ever
 * for a program that an AWS profile names.
 * @param find the search, of a client whose request handler has time limits of its own
 * @returns as `find`. All its errors have one name, which no error of S3 has, and no cause: the SDK would look for
 *   timeouts in it and retry them
 */
export function boundedCredentials(find: Find, timeoutMs: number): Find {
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer within ${timeoutMs / 1000} s`));
      }, timeoutMs);
    });
    try {
      return await Promise.race([find(), deadline]);
    } catch (error) {
      throw Object.assign(new Error(error instanceof Error ? error.message : String(error)), {
        name: 'S3CredentialsError',
      });
    } finally {
      clearTimeout(timer);
    }
  };
}
