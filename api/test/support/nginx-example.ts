// Starts nginx with deploy/nginx.conf, to test the published configuration.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { findNginx } from '../replicas/balancer.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const EXAMPLE = join(import.meta.dirname, '../../../deploy/nginx.conf');
const TEMPORARY_FOLDERS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

export interface ExampleNginx {
  /** Such as `http://127.0.0.1:40124`. */
  url: string;
  /** Stops nginx, and returns its error output. */
  close(): Promise<string>;
}

/**
 * What a proxy does with the path of PUBLIC_URL: it keeps it, cuts it off, or cuts it off and sends it in
 * `X-Forwarded-Prefix`, also for the path without its slash, as Traefik's StripPrefix does.
 */
export type ProxyKind = 'keeps' | 'cuts' | 'cuts and names';
export const PROXY_KINDS: readonly ProxyKind[] = ['keeps', 'cuts', 'cuts and names'];

export interface ExampleOptions {
  /** URLs of the servers behind it, such as `http://127.0.0.1:40123`. */
  upstreams: string[];
  /** Folder that /internal-blobs/ serves. */
  blobsDirectory?: string;
  /** Serves Berth below a path, such as `/registry`. */
  below?: { path: string; proxy: ProxyKind };
  /** Further replacements in the file: `{ 'location / {': 'location /registry/ {' }`. */
  changes?: Record<string, string>;
}

/**
 * Starts it on a free port and returns once it listens. Replaces only addresses and folders of deploy/nginx.conf, and
 * `changes`.
 */
export async function startExampleNginx({
  upstreams,
  blobsDirectory,
  below,
  changes = {},
}: ExampleOptions): Promise<ExampleNginx> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-nginx-'));
  const port = await freePort();
  const servers = upstreams.map((url) => `server ${new URL(url).host};`).join(' ');
  const site = replaceAll(await readFile(EXAMPLE, 'utf8'), {
    'server 127.0.0.1:8080;': servers,
    'listen 80;': `listen 127.0.0.1:${port};`,
    ...(blobsDirectory !== undefined && { '/var/lib/berth/blobs/': `${blobsDirectory}/` }),
    ...(below && changesBelow(below)),
    ...changes,
  });
  await writeFile(join(directory, 'site.conf'), site);
  // As root, nginx would run its workers as another user, who cannot read the folder of the blobs.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  await writeFile(
    join(directory, 'nginx.conf'),
    `
    ${user} daemon off; worker_processes 1; pid ${directory}/pid; error_log stderr warn;
    events {}
    http {
      ${TEMPORARY_FOLDERS.map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
      access_log off;
      include ${directory}/site.conf;
    }`,
  );
  const script = await readFile(join(import.meta.dirname, 'nginx-example.sh'), 'utf8');
  const child = spawn('sh', ['-c', script, 'nginx-example.sh', findNginx(), directory], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const errors = text(child.stderr);
  const ended = once(child, 'exit');
  await Promise.race([
    eventually(() => reach(port)),
    ended.then(async () => {
      throw new Error(`nginx did not start: ${await errors}`);
    }),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      child.stdin.end();
      await ended;
      await rm(directory, { recursive: true });
      return errors;
    },
  };
}

/** The changes for a path that docs/guides/deployment.md describes. */
function changesBelow({ path, proxy }: { path: string; proxy: ProxyKind }): Record<string, string> {
  const location = `location ${path}/ {`;
  if (proxy === 'keeps') return { 'location / {': location };
  const withoutSlash =
    proxy === 'cuts and names'
      ? `proxy_set_header X-Forwarded-Prefix ${path}; location = ${path} { proxy_pass http://berth/; }`
      : '';
  return {
    'upstream berth {': `map $request_uri $berth_path { "~^${path}(?<rest>/.*)$" $rest; }\nupstream berth {`,
    'proxy_pass http://berth;': 'proxy_pass http://berth$berth_path;',
    'location / {': `${withoutSlash} ${location}`,
  };
}

function replaceAll(example: string, changes: Record<string, string>): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    assert.ok(text.includes(from), `deploy/nginx.conf has no ${from}`);
    return text.replaceAll(from, () => to);
  }, example);
}

async function reach(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
}
