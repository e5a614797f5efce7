// Fault injection for the file system: makes the n-th call of node:fs/promises below a folder fail like the kernel
// would, for the whole process.

import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { getSystemErrorMap } from 'node:util';

export type FaultCode = 'ENOSPC' | 'EIO' | 'EMFILE';

export interface Fault {
  /** Only calls below this folder are counted. */
  root: string;
  code: FaultCode;
  /** The first call that fails, from 1. */
  at: number;
  /** Makes all later calls fail as well. */
  lasting?: boolean;
}

const PATH_CALLS = ['open', 'mkdir', 'rmdir', 'rename', 'stat', 'unlink', 'readdir', 'readFile', 'writeFile'] as const;
const HANDLE_CALLS = ['read', 'write', 'writev', 'sync', 'datasync', 'truncate', 'stat', 'close'] as const;
/** The calls that can fail with each code. */
const CALLS_OF: Record<FaultCode, ReadonlySet<string>> = {
  ENOSPC: new Set(['open', 'mkdir', 'rename', 'writeFile', 'write', 'writev', 'sync', 'datasync', 'close']),
  EIO: new Set([...PATH_CALLS, ...HANDLE_CALLS]),
  EMFILE: new Set(['open', 'readdir', 'readFile', 'writeFile']),
};

type AnyCall = (...parameters: unknown[]) => Promise<unknown>;

/** Runs `work` with the fault. @returns the names of the failed calls; none if there were fewer calls */
export async function withFault(fault: Fault, work: () => Promise<void>): Promise<{ failed: string[] }> {
  const originals = Object.fromEntries(PATH_CALLS.map((name) => [name, fs[name]]));
  const failed: string[] = [];
  let calls = 0;
  const next = (name: string, path: string) => {
    if (!CALLS_OF[fault.code].has(name)) return;
    calls++;
    if (calls < fault.at || (calls > fault.at && !fault.lasting)) return;
    failed.push(name);
    throw systemError(fault.code, name, path);
  };
  for (const name of PATH_CALLS) {
    const original = originals[name] as AnyCall;
    const replaced: AnyCall = async (path, ...rest) => {
      if (typeof path !== 'string' || !path.startsWith(fault.root)) return original(path, ...rest);
      next(name, path);
      const result = await original(path, ...rest);
      return name === 'open' ? withFailingCalls(result as FileHandle, path, next) : result;
    };
    Object.assign(fs, { [name]: replaced });
  }
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    Object.assign(fs, originals);
    syncBuiltinESMExports();
  }
  return { failed };
}

function withFailingCalls(handle: FileHandle, path: string, next: (name: string, path: string) => void): FileHandle {
  for (const name of HANDLE_CALLS) {
    const original = (handle[name] as AnyCall).bind(handle);
    const replaced: AnyCall = async (...parameters) => {
      // The kernel frees the descriptor even if close fails: close(2).
      if (name === 'close') await original();
      next(name, path);
      return name === 'close' ? undefined : original(...parameters);
    };
    Object.assign(handle, { [name]: replaced });
  }
  return handle;
}

function systemError(code: FaultCode, syscall: string, path: string): Error {
  const [errno, [, message]] = [...getSystemErrorMap()].find(([, [name]]) => name === code) ?? [0, ['', '']];
  return Object.assign(new Error(`${code}: ${message}, ${syscall} '${path}'`), { code, errno, syscall, path });
}
