// nginx (Debian: nginx-light) as a round-robin load balancer, without sticky sessions.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';

/** Folder of server programs; only root has it on the PATH. */
const SERVER_PROGRAMS = '/usr/sbin';

export interface Balancer {
  url: string;
  close(): Promise<void>;
}

/** Starts a balancer in front of these servers, by URL. The response header `x-upstream` names the server. */
export async function startBalancer(upstreams: readonly string[]): Promise<Balancer> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-nginx-'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(directory, name)};`,
  );
  // As root, nginx would run its workers as another user, who cannot read the directory.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  await writeFile(
    join(directory, 'nginx.conf'),
    `
    ${user} daemon off; worker_processes 1; pid ${join(directory, 'pid')}; error_log stderr error;
    events {}
    http {
      ${temporary.join(' ')}
      access_log off;
      upstream berth { ${upstreams
        .map((url) => `server ${new URL(url).host} max_fails=1 ` + 'fail_timeout=1s;')
        .join(' ')} }
      server {
        listen 127.0.0.1:${port};
        client_max_body_size 0;
        merge_slashes off;
        location / {
          proxy_pass http://berth;
          proxy_http_version 1.1;
          proxy_buffering off;
          proxy_next_upstream error timeout http_503 non_idempotent;
          proxy_set_header Host $http_host;
          proxy_set_header X-Forwarded-Host $http_host;
          proxy_set_header X-Forwarded-For $remote_addr;
          proxy_set_header X-Forwarded-Proto $scheme;
          add_header X-Upstream $upstream_addr always;
        }
      }
    }`,
  );
  const child = spawn(findNginx(), ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  const endWithThisProcess = () => {
    child.kill('SIGKILL');
  };
  process.once('exit', endWithThisProcess);
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`nginx did not start: ${errors}`);
    await (await fetch(`${url}/api/ping`)).text();
  });
  return {
    url,
    async close() {
      child.kill('SIGTERM');
      await ended;
      process.off('exit', endWithThisProcess);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Finds the program. @throws Error that says what to install */
export function findNginx(): string {
  const path = programs().find((candidate) => existsSync(candidate));
  if (path === undefined)
    throw new Error('nginx is missing: install the Debian package nginx-light, or run `npm test` once, which does.');
  return path;
}

export function isNginxInstalled(): boolean {
  return programs().some((candidate) => existsSync(candidate));
}

const programs = () =>
  [...(process.env.PATH ?? '').split(delimiter), SERVER_PROGRAMS].map((directory) => join(directory, 'nginx'));
