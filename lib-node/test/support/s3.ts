// Settings of a registry for the S3 server that `npm test` starts.

import { randomBytes } from 'node:crypto';

/** Address of the server: `http://127.0.0.1:40123`. */
export function s3Url(): string {
  return server().origin;
}

/** Makes settings of a registry that stores its files there, in a folder of its own, through the given URL. */
export function s3Settings(endpoint: string): Record<string, string> {
  const { username, password } = server();
  return {
    FILES_STORAGE: 's3',
    S3_ENDPOINT: endpoint,
    S3_BUCKET: 'berth-test',
    S3_FORCE_PATH_STYLE: 'true',
    S3_ROOT_DIR: `test-${randomBytes(8).toString('hex')}`,
    S3_ACCESS_KEY_ID: decodeURIComponent(username),
    S3_SECRET_ACCESS_KEY: password,
  };
}

function server(): URL {
  const url = process.env.BERTH_TEST_S3_URL;
  if (url === undefined) throw new Error('the S3 server is missing: `npm test` starts it');
  return new URL(url);
}
