// Starts one of the Node peers in this folder, which listen on PORT and store files in DATA_DIR.

import { fileURLToPath } from 'node:url';
import { freePort, startServer, type ServerProcess } from '../support/processes.ts';

/** @param name file name without its extension: `hash-and-write` */
export async function startNodePeer(name: string, dataDir: string): Promise<ServerProcess> {
  const port = await freePort();
  return startServer({
    program: process.execPath,
    parameters: [fileURLToPath(new URL(`./${name}.ts`, import.meta.url))],
    env: { PORT: String(port), DATA_DIR: dataDir },
    port,
    readyPath: '/',
  });
}
