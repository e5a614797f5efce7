// Starts one of the servers beside this file, which listen on the port in PORT and keep files in DATA_DIR.

import { fileURLToPath } from 'node:url';
import { freePort, startServer, type ServerProcess } from '../support/processes.ts';

/** @param name file name without its ending: `hash-and-write` */
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
