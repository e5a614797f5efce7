// Loads the server, for the commands that work on its own data. The client that each registry serves does not include
// the server, so the other commands must not load it.

import { readManifest } from './manifest.ts';

export type Server = Awaited<ReturnType<typeof loadServer>>;

/** Imports the server. @throws Error if this Node is too old or the server is not installed */
export async function loadServer() {
  assertNodeVersion();
  // The server's data is private to its user, whatever the umask is.
  process.umask(0o077);
  try {
    return await import('@berth-registry/api');
  } catch (error) {
    const isMissing =
      error instanceof Error &&
      'code' in error &&
      error.code === 'ERR_MODULE_NOT_FOUND' &&
      error.message.includes("'@berth-registry/api'");
    if (!isMissing) throw error;
    const reason = 'this command requires the server, which the client that a registry serves does not include';
    throw new Error(reason, { cause: error });
  }
}

function assertNodeVersion(): void {
  const minimum = readManifest().engines.node.replace('>=', '');
  if (process.versions.node.localeCompare(minimum, 'en', { numeric: true }) < 0)
    throw new Error(`the server requires Node ${minimum} or later; this is ${process.version}`);
}
