// Peer: docker-registry (Debian: docker-registry), which stores blobs by SHA-256 in files, as Berth does.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { transfer } from '../support/curl.ts';
import { freePort, startServer, type ServerProcess } from '../support/processes.ts';
import { requireTool } from '../support/tools.ts';

/** Starts it with its files below `directory`. */
export async function startDockerRegistry(directory: string): Promise<ServerProcess> {
  const program = requireTool('docker-registry');
  const port = await freePort();
  await mkdir(directory);
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'blobs') } },
    http: { addr: `127.0.0.1:${port}`, secret: 'bench' },
  };
  // JSON is YAML.
  await writeFile(join(directory, 'config.yml'), JSON.stringify(config));
  return startServer({ program, parameters: ['serve', join(directory, 'config.yml')], port, readyPath: '/v2/' });
}

/**
 * Uploads a file as one blob: a POST for the location, then a PUT with all bytes.
 * @returns seconds of both requests
 */
export async function uploadBlob({ url }: ServerProcess, file: string, digest: string): Promise<number> {
  const startedAt = performance.now();
  const response = await fetch(`${url}/v2/bench/blobs/uploads/`, { method: 'POST' });
  const location = response.headers.get('location');
  if (response.status !== 202 || location === null)
    throw new Error(`docker-registry responded with ${response.status} to the start of an upload`);
  const target = new URL(location, url);
  target.searchParams.set('digest', digest);
  const startSeconds = (performance.now() - startedAt) / 1000;
  return startSeconds + (await transfer({ url: target.href, send: { body: file }, status: 201 }));
}
