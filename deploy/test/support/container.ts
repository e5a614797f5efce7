// Builds and runs an image without a container engine: executes the Dockerfile in private copies of the host's root
// directory (mount namespace, overlayfs), and its entry point there as its user, unprivileged, on a read-only root.
// The Node of the base image is the one that runs the tests.

import { execFile, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../../scripts/runtime.ts';
import { execForm, pairsOf, type Instruction, type Stage } from './dockerfile.ts';

/** Variables of `npm test` that would make the npm of the build use this checkout. */
const NPM_VARIABLE =
  'npm_(package|lifecycle|command|execpath|node_execpath|config_(local_prefix|prefix|global_prefix))';
const NOT_INHERITED = new RegExp(`^(${NPM_VARIABLE}.*|NODE_TEST_CONTEXT|NODE_OPTIONS|INIT_CWD|PATH)$`, 'i');
const ROOT = process.getuid?.() === 0 ? [] : ['sudo', '-n', '--preserve-env'];

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
  stages: Stage[];
  /** Stages that get the node_modules of this checkout instead of running `npm ci`. */
  installedHere: string[];
  /** Host folder mounted as /data. */
  dataDirectory: string;
  /** Values of the Dockerfile's ARGs. */
  buildArguments: Record<string, string>;
  /** `docker run --env`. */
  env: Record<string, string>;
}

/** Builds the last stage and starts it. */
export function runContainer(options: ContainerOptions): Container {
  const env = { ...imageEnv(options), PATH: '/usr/local/bin:/usr/bin:/bin', ...options.env };
  const [user, directory] = ['USER', 'WORKDIR'].map((keyword) => valueOf(lastOf(options.stages), keyword)) as [
    string,
    string,
  ];
  const script = [PREPARE, ...options.stages.map((stage) => build(stage, options)), start(options, env)].join('\n');
  const [program = '', ...words] = [
    ...ROOT,
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'bash',
    '-c',
    script,
    'container',
    process.execPath,
    repositoryRoot,
    options.dataDirectory,
  ];
  const child = spawn(program, words, {
    env: {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name))),
      PATH: pathOfHost(),
    },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  return {
    process: child,
    output: () => text,
    async exec(words) {
      const [enter = '', ...rest] = [
        ...ROOT,
        'nsenter',
        '--target',
        /^pid (\d+)$/m.exec(text)?.[1] ?? '',
        '--mount',
        '--root',
        ...asUser(user),
        'env',
        '-i',
        ...assignments(env),
        'sh',
        '-c',
        `cd ${directory} && exec "$@"`,
        'sh',
        ...words,
      ];
      return (await promisify(execFile)(enter, rest)).stdout;
    },
    async stop(signal) {
      const ended = once(child, 'exit');
      child.kill(signal);
      return (await ended)[0] as number | null;
    },
  };
}

/** Returns the ENV of the last stage, with its ARGs filled in. */
export function imageEnv({
  stages,
  buildArguments,
}: Pick<ContainerOptions, 'stages' | 'buildArguments'>): Record<string, string> {
  const pairs = lastOf(stages)
    .instructions.filter(({ keyword }) => keyword === 'ENV')
    .map(({ text }) => pairsOf(text));
  return Object.fromEntries(
    Object.entries(Object.assign({}, ...pairs) as Record<string, string>).map(([name, value]) => [
      name,
      value.replaceAll(/\$\{(\w+)\}/g, (_, variable: string) => buildArguments[variable] ?? ''),
    ]),
  );
}

export function valueOf(stage: Stage, keyword: string): string {
  return stage.instructions.findLast((instruction) => instruction.keyword === keyword)?.text ?? '';
}

/** All files are on a tmpfs of this mount namespace, which disappears with its last process. */
const PREPARE = `set -eu
node=$1; checkout=$2; data=$3; stages=/mnt
mount -t tmpfs tmpfs "$stages"
make_root() {
  mkdir -p "$stages/$1/upper" "$stages/$1/work" "$stages/$1/root"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$stages/$1/upper,workdir=$stages/$1/work" "$stages/$1/root"
  mount -t proc proc "$stages/$1/root/proc"
  mount --rbind /dev "$stages/$1/root/dev"
  rm -rf "$stages/$1/root/usr/local/bin/node"
  install -D "$node" "$stages/$1/root/usr/local/bin/node"
  cat /etc/resolv.conf > "$stages/$1/root/etc/resolv.conf"
  cat /etc/hosts > "$stages/$1/root/etc/hosts"
}
copy() { # from, to
  mkdir -p "$2"
  if [ -d "$1" ]; then cp -a --no-preserve=ownership "$1/." "$2"; else cp -a --no-preserve=ownership "$1" "$2"; fi
}`;

function build(stage: Stage, { installedHere, buildArguments }: ContainerOptions): string {
  const root = `"$stages/${nameOf(stage)}/root"`;
  let [directory, user] = ['/', ''];
  const env: Record<string, string> = {};
  const lines = stage.instructions.flatMap((instruction) => {
    const { keyword, text } = instruction;
    switch (keyword) {
      case 'WORKDIR':
        directory = text;
        return [`mkdir -p ${root}${directory}`];
      case 'USER':
        user = text;
        return [];
      case 'ENV':
        Object.assign(env, pairsOf(text));
        return [];
      case 'COPY':
        return copies(instruction, root, directory);
      case 'RUN': {
        if (text === 'npm ci' && installedHere.includes(stage.name))
          return [
            `mkdir ${root}${directory}/node_modules`,
            `mount --bind "$checkout/node_modules" ${root}${directory}/node_modules`,
          ];
        const words = execForm(text) ?? ['/bin/sh', '-c', text];
        const command = [...asUser(user), 'env', ...assignments({ ...env, ...buildArguments }), ...words]
          .map(quoted)
          .join(' ');
        return [
          `chroot ${root} sh -c ${quoted(`cd ${directory} && exec ${command}`)} > "$stages/log" 2>&1 || { cat ` +
            '"$stages/log" >&2; exit 1; }',
        ];
      }
      default:
        return [];
    }
  });
  return [`make_root ${nameOf(stage)}`, ...lines].join('\n');
}

function copies({ flags: { from }, text }: Instruction, root: string, directory: string): string[] {
  const words = text.split(/\s+/);
  const target = words.pop() ?? '';
  return words.map((source) => {
    const path = from === undefined ? `"$checkout"/${source}` : `"$stages/${from}/root"${source}`;
    return `copy ${path} ${root}${directory}/${target}`;
  });
}

function start({ stages }: ContainerOptions, env: Record<string, string>): string {
  const stage = lastOf(stages);
  const root = `"$stages/${nameOf(stage)}/root"`;
  const entryPoint = execForm(valueOf(stage, 'ENTRYPOINT')) ?? [];
  const command = ['env', '-i', ...assignments(env), ...asUser(valueOf(stage, 'USER')), ...entryPoint]
    .map(quoted)
    .join(' ');
  return `owner=$(stat -c %u:%g ${root}/data); chown "$owner" "$data"; chmod 700 "$data"
mount -o remount,ro ${root}
mount -t tmpfs -o mode=1777 tmpfs ${root}/tmp
mount --bind "$data" ${root}/data
echo "pid $$"
exec chroot ${root} sh -c ${quoted(`cd ${valueOf(stage, 'WORKDIR')} && exec ${command}`)}`;
}

function asUser(user: string): string[] {
  const [uid = '', gid = uid] = user.split(':');
  return user === ''
    ? []
    : [
        'setpriv',
        `--reuid=${uid}`,
        `--regid=${gid}`,
        '--clear-groups',
        '--bounding-set=-all',
        '--inh-caps=-all',
        '--no-new-privs',
      ];
}

function lastOf(stages: readonly Stage[]): Stage {
  const stage = stages.at(-1);
  if (!stage) throw new Error('the Dockerfile has no stage');
  return stage;
}

/** Removes the node_modules folders of npm, whose Node and tools an image does not have. */
function pathOfHost(): string {
  return [
    '/usr/local/bin',
    ...(process.env.PATH ?? '').split(':').filter((folder) => !folder.includes('node_modules')),
  ].join(':');
}

const nameOf = ({ name }: Stage) => (name === '' ? 'final' : name);
const assignments = (env: Record<string, string>) => Object.entries(env).map(([name, value]) => `${name}=${value}`);
const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
