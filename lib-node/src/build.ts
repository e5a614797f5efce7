// The option `build`: compiles the native modules of an unpacked package for the running Node, with `npm rebuild`:
// offline, and with only PATH and locale of this process's environment.

import { lstat, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import { delimiter, dirname, join, relative } from 'node:path';
import { BuildError, isErrno } from './errors.ts';
import type { BuildErrorCode } from './errors.ts';
import { findHeaderRoot, listHeaderRoots } from './node-headers.ts';
import { runProgram } from './program.ts';
import type { ProgramResult } from './program.ts';
import { describeRuntime } from './runtime.ts';

/** A build that hangs would hold the lock, and block all waiting callers, for ever. */
const BUILD_LIMIT_MS = 30 * 60 * 1000;
/** Lines of stderr in the message; the error has all of it. */
const QUOTED_LINES = 20;

export interface BuildJob {
  /** The unpacked package. */
  directory: string;
  /** A directory to create, use as HOME and remove again. */
  scratch: string;
  artefactId: string;
  signal: AbortSignal;
}

export interface Builder {
  /** The runtime that it builds for: `abi137-linux-x64-glibc`. */
  runtime: string;
  /** Builds in place, and test-loads each new add-on in a child process. @throws BuildError */
  build: (job: BuildJob) => Promise<void>;
}

export interface BuilderOptions {
  /** Directories to search for Node's headers; default: the usual ones. */
  headerRoots?: readonly string[] | undefined;
}

/** Makes a builder for the running Node. */
export function createBuilder({ headerRoots = listHeaderRoots() }: BuilderOptions = {}): Builder {
  return {
    runtime: describeRuntime(),
    build: async (job) => {
      const headers = await findHeaderRoot(headerRoots);
      try {
        const startMs = await prepareScratch(job.scratch);
        await rebuild(job, headers, headerRoots);
        for (const addon of await listAddons(job.directory, startMs)) await testLoad(job, addon);
      } finally {
        await rm(job.scratch, { recursive: true, force: true, maxRetries: 3 });
      }
    },
  };
}

/**
 * Links the running Node as `node`, for scripts: it may have another name, and the PATH may find another one.
 *
 * @returns the start time of the build, by the clock of the file system
 */
async function prepareScratch(scratch: string): Promise<number> {
  const programs = join(scratch, 'bin');
  await mkdir(programs, { recursive: true });
  await symlink(process.execPath, join(programs, 'node'));
  return (await lstat(join(programs, 'node'))).mtimeMs;
}

async function rebuild(job: BuildJob, headers: string | undefined, headerRoots: readonly string[]): Promise<void> {
  // Without headers, a build that needs them fails instead of downloading them; others succeed.
  const env = {
    ...cleanEnvironment(job.scratch),
    ...npmConfig(job.scratch, headers ?? join(job.scratch, 'missing-headers')),
  };
  const { failure, stderr } = await run(job, 'npm', ['rebuild'], env);
  if (failure === undefined) return;
  const missing =
    `no headers of Node ${process.versions.node} found in ${headerRoots.join(', ')}: ` +
    'install them, or set npm_config_nodedir to their directory';
  throw headers === undefined
    ? buildError(job, 'headers_missing', missing, stderr)
    : buildError(job, 'rebuild_failed', `npm rebuild failed with ${failure}`, stderr);
}

/** Test-loads an add-on: only this detects wrong headers or a missing library. */
async function testLoad(job: BuildJob, addon: string): Promise<void> {
  const { LD_LIBRARY_PATH: libraries } = process.env;
  const env = { ...cleanEnvironment(job.scratch), ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) };
  const { failure, stderr } = await run(job, process.execPath, ['--eval', 'require(process.argv[1])', addon], env);
  if (failure !== undefined)
    throw buildError(
      job,
      'addon_unloadable',
      `the add-on ${relative(job.directory, addon)} was built but cannot be loaded: ${failure}`,
      stderr,
    );
}

async function run(
  job: BuildJob,
  program: string,
  parameters: string[],
  env: Record<string, string>,
): Promise<ProgramResult> {
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
      throw buildError(job, 'build_timeout', `${program} did not finish within ${BUILD_LIMIT_MS / 60_000} minutes`);
    if (isErrno(error, 'ENOENT'))
      throw buildError(job, 'npm_missing', `${program} was found neither next to ${process.execPath} nor on the PATH`);
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

/** Settings of npm and node-gyp. They override any .npmrc, and no file outside the package is read. */
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
    // npm 11.16 and later run only scripts in the package's allowScripts, and none of bundled dependencies.
    npm_config_dangerously_allow_all_scripts: 'true',
  };
}

/**
 * Lists the add-ons that were written since then, each once: node-gyp hard-links `build/Release/obj.target/x.node` to
 * `build/Release/x.node`.
 */
async function listAddons(directory: string, sinceMs: number): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const addons = new Map<number, string>();
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.endsWith('.node') || entry.parentPath.includes('/obj.target')) continue;
    const path = join(entry.parentPath, entry.name);
    const { mtimeMs, ino } = await stat(path);
    if (mtimeMs > sinceMs) addons.set(ino, path);
  }
  return [...addons.values()];
}

function buildError({ artefactId }: BuildJob, code: BuildErrorCode, reason: string, stderr = ''): BuildError {
  const quoted = stderr.trimEnd().split('\n').slice(-QUOTED_LINES).join('\n');
  return new BuildError(code, `${artefactId} cannot be built: ${reason}${quoted && `\n${quoted}`}`, {
    artefactId,
    stderr,
  });
}
