// A file system that fails at its n-th call: the functions of node:fs/promises fail for paths below a folder, in this
// whole process, as the kernel would make them fail. Nothing of the server knows.

import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { getSystemErrorMap } from 'node:util';

export type FaultCode = 'ENOSPC' | 'EIO' | 'EMFILE';

export interface Fault {
  /** Calls below this folder count. */
  root: string;
  code: FaultCode;
  /** The first call that fails, counted from 1. */
  at: number;
  /** Fails from then on, instead of once. */
  lasting?: boolean;
}

const PATH_CALLS = ['open', 'mkdir', 'rmdir', 'rename', 'stat', 'unlink', 'readdir', 'readFile', 'writeFile'] as const;
const HANDLE_CALLS = ['read', 'write', 'writev', 'sync', 'datasync', 'truncate', 'stat', 'close'] as const;
/** What takes no room and opens nothing fails in fewer ways. */
const CALLS_OF: Record<FaultCode, ReadonlySet<string>> = {
  ENOSPC: new Set(['open', 'mkdir', 'rename', 'writeFile', 'write', 'writev', 'sync', 'datasync', 'close']),
  EIO: new Set([...PATH_CALLS, ...HANDLE_CALLS]),
  EMFILE: new Set(['open', 'readdir', 'readFile', 'writeFile']),
};

type AnyCall = (...parameters: unknown[]) => Promise<unknown>;

/** Does the work with the fault, and tells what failed: nothing when there were fewer calls. */
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
      // The kernel frees the descriptor whatever it answers: close(2).
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
