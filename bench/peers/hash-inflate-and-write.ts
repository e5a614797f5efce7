// Peer: the minimum of work for an npm tarball that is scanned: hash-and-write.ts, and inflate the bytes.

import { createGunzip } from 'node:zlib';
import { serveUploads } from './hash-and-write.ts';

const INFLATED_CHUNK_BYTES = 64 * 1024;

serveUploads(() => {
  const gunzip = createGunzip({ chunkSize: INFLATED_CHUNK_BYTES }).resume();
  return {
    write: (chunk) =>
      new Promise((resolve, reject) => {
        gunzip.write(chunk, (error) => {
          if (error) reject(error);
          else resolve();
        });
      }),
    end: () =>
      new Promise((resolve, reject) => {
        gunzip.once('error', reject).once('end', resolve).end();
      }),
  };
});
