// Starts a private S3 server for tests, OpenStack Swift. scripts/test-programs.ts installs it; s3.ts creates a root
// folder for one test.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer, Socket, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const SWIFT_PACKAGES = ['python3-swift', 'memcached'];

/** Only Debian's own Python can import Debian's Swift. */
const PYTHON = '/usr/bin/python3';
const PROGRAMS = [PYTHON, '/usr/lib/python3/dist-packages/swift/common/wsgi.py', '/usr/bin/memcached'];

export interface SwiftCluster {
  /** `http://<access key>:<secret key>@127.0.0.1:<port>`, percent-encoded. The server has no bucket yet. */
  readonly url: string;
  /** Folder of all its data. */
  readonly directory: string;
  /** Makes the server accept connections and say nothing, or resumes it. */
  become(state: 'freeze' | 'thaw'): void;
  /** Stops the server and removes its data. Happens automatically when this process ends, even if it is killed. */
  stop(): Promise<void>;
}

/** Whether the Debian packages are installed. Their services are not used. */
export function isSwiftInstalled(): boolean {
  return PROGRAMS.every((path) => existsSync(path));
}

export interface SwiftClusterOptions {
  /** Flush acknowledged writes to disk, for measurements. Default false, which makes tests faster. */
  durable?: boolean;
}

/**
 * Starts a server in a temporary directory, in about three seconds.
 * @throws Error that says what to install, or contains Swift's output
 */
export async function startSwiftCluster({ durable = false }: SwiftClusterOptions = {}): Promise<SwiftCluster> {
  if (!isSwiftInstalled())
    throw new Error(
      `The S3 server of the tests is missing: install the Debian packages ${SWIFT_PACKAGES.join(' and ')}, or ` +
        'run "npm test" once, which installs them.',
    );
  const directory = await mkdtemp(join(tmpdir(), 'berth-swift-'));
  const ports = await freePorts(5);
  const server = spawn(
    PYTHON,
    [join(import.meta.dirname, 'swift-cluster.py'), directory, durable ? 'durable' : 'fast', ...ports.map(String)],
    {
      detached: true,
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' },
    },
  );
  let errors = '';
  server.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  const isStarted = await Promise.race([
    once(server.stdout, 'data').then(() => true),
    once(server, 'close').then(() => false),
  ]);
  if (!isStarted) throw new Error(`The S3 server of the tests did not start: ${errors.trim()}`);
  server.stdout.destroy();
  server.stderr.destroy();
  if (server.stdin instanceof Socket) server.stdin.unref();
  server.unref();
  return {
    directory,
    url: `http://test%3Atester:testing@127.0.0.1:${ports[0]}`,
    become(state) {
      server.stdin.write(`${state}\n`);
    },
    async stop() {
      if (server.exitCode !== null) return;
      server.ref();
      server.stdin.end();
      await once(server, 'exit');
    },
  };
}

/** Finds different ports that no process listens on. */
async function freePorts(count: number): Promise<number[]> {
  const listeners = await Promise.all(
    Array.from({ length: count }, async () => {
      const listener = createServer().listen(0, '127.0.0.1');
      await once(listener, 'listening');
      return listener;
    }),
  );
  const ports = listeners.map((listener) => (listener.address() as AddressInfo).port);
  await Promise.all(listeners.map((listener) => once(listener.close(), 'close')));
  return ports;
}
