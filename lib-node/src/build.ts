// build: true. Compiles the native modules of an unpacked package for the running Node, before the package is handed
// out. npm does it, offline and with nothing of this process's environment but PATH and locale.

import { lstat, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import { delimiter, dirname, join, relative } from 'node:path';
import { BuildError, isErrno } from './errors.ts';
import type { BuildErrorCode } from './errors.ts';
import { findHeaderRoot, listHeaderRoots } from './node-headers.ts';
import { runProgram } from './program.ts';
import type { ProgramEnd } from './program.ts';
import { describeRuntime } from './runtime.ts';

/** A build that hangs would keep the lock, and everybody who waits for it, for ever. */
const BUILD_LIMIT_MS = 30 * 60 * 1000;
/** Lines of the standard error that the message quotes; the error carries more. */
const QUOTED_LINES = 20;

export interface BuildJob {
  /** The unpacked package. */
  directory: string;
  /** A directory to make, use as HOME and remove again. */
  scratch: string;
  artefactId: string;
  signal: AbortSignal;
}

export interface Builder {
  /** What a build is good for: `abi137-linux-x64-glibc`. */
  runtime: string;
  /** Builds in place, and loads each add-on that is new once, in a process of its own. @throws BuildError */
  build: (job: BuildJob) => Promise<void>;
}

export interface BuilderOptions {
  /** Where to look for the headers of Node; default: wherever they usually are. */
  headerRoots?: readonly string[] | undefined;
}

/** Makes what builds for the running Node. */
export function createBuilder({ headerRoots = listHeaderRoots() }: BuilderOptions = {}): Builder {
  return {
    runtime: describeRuntime(),
    build: async (job) => {
      const headers = await findHeaderRoot(headerRoots);
      try {
        const beginMs = await prepareScratch(job.scratch);
        await rebuild(job, headers, headerRoots);
        for (const addon of await listAddons(job.directory, beginMs)) await load(job, addon);
      } finally {
        await rm(job.scratch, { recursive: true, force: true, maxRetries: 3 });
      }
    },
  };
}

/** Scripts start `node`: the running one may have another name, and another one may come first on the PATH. */
async function prepareScratch(scratch: string): Promise<number> {
  const programs = join(scratch, 'bin');
  await mkdir(programs, { recursive: true });
  await symlink(process.execPath, join(programs, 'node'));
  return (await lstat(join(programs, 'node'))).mtimeMs;
}

async function rebuild(job: BuildJob, headers: string | undefined, headerRoots: readonly string[]): Promise<void> {
  // Without headers what needs none still builds, and what needs them fails instead of downloading them.
  const env = {
    ...cleanEnvironment(job.scratch),
    ...npmConfig(job.scratch, headers ?? join(job.scratch, 'missing-headers')),
  };
  const { failure, stderr } = await run(job, 'npm', ['rebuild'], env);
  if (failure === undefined) return;
  const missing =
    `the headers of Node ${process.versions.node} are in none of ${headerRoots.join(', ')}: ` +
    'install them, or name their directory by npm_config_nodedir';
  throw headers === undefined
    ? buildError(job, 'headers_missing', missing, stderr)
    : buildError(job, 'rebuild_failed', `npm rebuild ended with ${failure}`, stderr);
}

/** An add-on that was built against other headers, or lacks a library, is only told by loading it. */
async function load(job: BuildJob, addon: string): Promise<void> {
  const { LD_LIBRARY_PATH: libraries } = process.env;
  const env = { ...cleanEnvironment(job.scratch), ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) };
  const { failure, stderr } = await run(job, process.execPath, ['--eval', 'require(process.argv[1])', addon], env);
  if (failure !== undefined)
    throw buildError(
      job,
      'addon_unloadable',
      `the add-on ${relative(job.directory, addon)} was built and cannot be loaded: ${failure}`,
      stderr,
    );
}

async function run(
  job: BuildJob,
  program: string,
  parameters: string[],
  env: Record<string, string>,
): Promise<ProgramEnd> {
  const limit = AbortSignal.timeout(BUILD_LIMIT_MS);
  try {
    return await runProgram(program, parameters, {
      cwd: job.directory,
      env,
      signal: AbortSignal.any([job.signal, limit]),
    });
  } catch (error) {
    job.signal.throwIfAborted();
    if (limit.aborted)
      throw buildError(job, 'build_timeout', `${program} has not ended after ${BUILD_LIMIT_MS / 60_000} minutes`);
    if (isErrno(error, 'ENOENT'))
      throw buildError(
        job,
        'npm_missing',
        `there is no ${program}, neither beside ${process.execPath} nor on the PATH`,
      );
    throw error;
  }
}

function cleanEnvironment(scratch: string): Record<string, string> {
  const locale = Object.entries(process.env).filter((entry): entry is [string, string] =>
    /^(?:LANG|LANGUAGE|LC_.+)$/.test(entry[0]),
  );
  const path = [
    join(scratch, 'bin'),
    dirname(process.execPath),
    process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
  ].join(delimiter);
  return { ...Object.fromEntries(locale), PATH: path, HOME: scratch };
}

/** Settings of npm and node-gyp. They stand above any .npmrc, and no file outside the package is read. */
function npmConfig(scratch: string, nodedir: string): Record<string, string> {
  return {
    npm_config_nodedir: nodedir,
    npm_config_offline: 'true',
    npm_config_userconfig: join(scratch, '.npmrc'),
    npm_config_globalconfig: join(scratch, 'npmrc'),
    npm_config_cache: join(scratch, 'cache'),
    npm_config_loglevel: 'error',
    npm_config_update_notifier: 'false',
    npm_config_foreground_scripts: 'true',
    npm_config_ignore_scripts: 'false',
    // npm 11.16 and later ask the package's own allowScripts, and skip what is bundled.
    npm_config_dangerously_allow_all_scripts: 'true',
  };
}

/**
 * Lists the add-ons that were written since, each once: node-gyp links `build/Release/obj.target/x.node` to
 * `build/Release/x.node`.
 */
async function listAddons(directory: string, sinceMs: number): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found = new Map<number, string>();
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.node') || entry.parentPath.includes('/obj.target')) continue;
    const path = join(entry.parentPath, entry.name);
    const { mtimeMs, ino } = await stat(path);
    if (mtimeMs > sinceMs) found.set(ino, path);
  }
  return [...found.values()];
}

function buildError({ artefactId }: BuildJob, code: BuildErrorCode, reason: string, stderr = ''): BuildError {
  const quoted = stderr.trimEnd().split('\n').slice(-QUOTED_LINES).join('\n');
  return new BuildError(code, `${artefactId} cannot be built: ${reason}${quoted && `\n${quoted}`}`, {
    artefactId,
    stderr,
  });
}
