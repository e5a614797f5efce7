// Runs an image without a container engine: its entry point as its user, without capabilities, on a read-only root, in
// a mount namespace of its own. Unlike a Docker container, it shares the network of the host.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '../../../api/test/support/eventually.ts';
import { AS_ROOT, runAsRoot } from './as-root.ts';
import type { Image } from './image.ts';

const START_TIMEOUT_MS = 60_000;

export interface Container {
  process: ChildProcessWithoutNullStreams;
  /** Returns everything that was written to stdout and stderr so far. */
  output(): string;
  /** Runs a command in the container, as `docker exec` does, and returns its stdout. */
  exec(words: string[]): Promise<string>;
  /** Sends a signal to the entry point, and resolves with its exit status. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

export interface ContainerOptions {
  image: Image;
  /** Host folder mounted as /data. */
  dataDirectory: string;
  /** `docker run --env`. */
  env: Record<string, string>;
}

const SCRIPT = `set -eu
root=$1; data=$2; user=$3; shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
chown "$user" "$data"
chmod 700 "$data"
mount --bind "$data" "$root/data"
echo "pid $$"
exec chroot "$root" "$@"`;

/** Starts the entry point of an image. */
export function runContainer({ image: { root, config }, dataDirectory, env }: ContainerOptions): Container {
  // Engines set HOME to / for a user without an entry in /etc/passwd.
  const variables = ['HOME=/', ...config.Env, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  /** Command that runs another one as a process of the container. */
  const inside = (words: readonly string[]) => [
    ...['env', '-i', ...variables, ...asUser(config.User)],
    ...['sh', '-c', `cd ${config.WorkingDir} && exec "$@"`, 'sh', ...words],
  ];
  const [program = '', ...parameters] = [
    ...AS_ROOT,
    ...['unshare', '--mount', '--propagation', 'private', 'bash', '-c', SCRIPT, 'container'],
    ...[root, dataDirectory, config.User, ...inside(config.Entrypoint)],
  ];
  const child = spawn(program, parameters);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  return {
    process: child,
    output: () => text,
    exec: (words) =>
      runAsRoot('nsenter', '--target', /^pid (\d+)$/m.exec(text)?.[1] ?? '', '--mount', '--root', ...inside(words)),
    async stop(signal) {
      const ended = once(child, 'exit');
      child.kill(signal);
      return (await ended)[0] as number | null;
    },
  };
}

/** Waits until the server in a container is ready. */
export async function untilReady(container: Container, url: string): Promise<void> {
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline;) {
    if (container.process.exitCode !== null) break;
    const isReady = await eventually(() => fetch(`${url}/api/health/ready`)).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
  }
  throw new Error(`The container did not become ready: ${container.output()}`);
}

function asUser(user: string): string[] {
  const [uid = '', gid = uid] = user.split(':');
  return [
    ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'],
    ...['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'],
  ];
}
