// Describes the runtime that a native add-on is built for.

import { readFileSync } from 'node:fs';

/** Names everything that a compiled add-on depends on: `abi137-linux-x64-glibc`. */
export function describeRuntime(): string {
  return [
    `abi${process.versions.modules}`,
    process.platform,
    process.arch,
    ...(process.platform === 'linux' ? [detectLibc(readOwnMaps())] : []),
  ].join('-');
}

/**
 * Detects the C library from the files that a process has mapped, as proc_pid_maps(5) lists them. musl's C library is
 * its dynamic linker, `ld-musl-*`.
 */
export function detectLibc(maps: string): 'glibc' | 'musl' {
  return /\/(?:ld-musl-|libc\.musl-)[^/]*$/m.test(maps) ? 'musl' : 'glibc';
}

function readOwnMaps(): string {
  try {
    return readFileSync('/proc/self/maps', 'utf8');
  } catch {
    return '';
  }
}
