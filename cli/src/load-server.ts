// The server is loaded only by the commands that work on its own data. The others work without it, in the client that
// each registry serves.

import { readManifest } from './manifest.ts';

export type Server = Awaited<ReturnType<typeof loadServer>>;

/** @throws Error that says what is missing: a newer Node, or the server's installation */
export async function loadServer() {
  refuseOlderNode();
  // What these commands write is the server's own data: for nobody else on this machine, whatever the user's umask is.
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
    const reason = "this command runs from the server's installation, not from the client that a registry serves";
    throw new Error(reason, { cause: error });
  }
}

function refuseOlderNode(): void {
  const minimum = readManifest().engines.node.replace('>=', '');
  if (process.versions.node.localeCompare(minimum, 'en', { numeric: true }) < 0)
    throw new Error(`the server needs Node ${minimum} or later, and this is ${process.version}`);
}
