// Peer: nginx (Debian: nginx-light) as a file server: sendfile, one worker, no access log.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, startServer, type ServerProcess } from '../support/processes.ts';
import { requireTool } from '../support/tools.ts';

/** Serves the directory `files`; keeps its own files below `directory`. */
export async function startNginx(directory: string, files: string): Promise<ServerProcess> {
  const program = requireTool('nginx', 'nginx-light');
  const port = await freePort();
  await mkdir(directory);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(directory, name)};`,
  );
  // As root, nginx would run its workers as another user, who cannot read the directory of the benchmark.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  await writeFile(
    join(directory, 'nginx.conf'),
    `
    ${user} daemon off; worker_processes 1; pid ${join(directory, 'pid')}; error_log stderr warn;
    events {}
    http {
      ${temporary.join(' ')}
      access_log off; sendfile on; tcp_nopush on;
      server {
        listen 127.0.0.1:${port};
        root ${files};
        location = /ready { return 204; }
      }
    }`,
  );
  return startServer({
    program,
    parameters: ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr'],
    port,
    readyPath: '/ready',
  });
}
