// Serves the registry's own clients, cli/ and lib-node/, as npm tarballs. scripts/build-clients.ts builds them.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../digests/index.ts';
import { ClientsNotBuiltError, ClientVersionNotFoundError } from './errors.ts';
import type { ClientName } from './schemas.ts';

export interface ClientsOptions {
  /** Output of `npm run build`: `clients.json`, `cli.tgz`, `lib-node.tgz`. */
  directory: string;
  /** PUBLIC_URL, without a trailing slash. */
  publicUrl: string;
}

/** An entry of `clients.json`. */
interface BuiltClient {
  name: ClientName;
  packageName: string;
  version: string;
}

export interface ClientTarball {
  bytes: Buffer;
  /** `sha256:<hex>`. */
  digest: string;
}

export type Clients = ReturnType<typeof createClients>;

/**
 * Creates the service. It reads from disk at each request: the tarballs have about 100 kB and may be rebuilt while the
 * server runs.
 */
export function createClients({ directory, publicUrl }: ClientsOptions) {
  const readIndex = async () => JSON.parse((await readBuilt('clients.json')).toString()) as BuiltClient[];

  return {
    /** Lists the clients of this registry. @throws clients_not_built */
    async list() {
      return Promise.all(
        (await readIndex()).map(async (client) => {
          const { bytes, digest } = await readTarball(client.name);
          const url = `${publicUrl}/clients/${client.version}/${client.name}.tgz`;
          return { ...client, url, size: bytes.length, digest };
        }),
      );
    },

    /** Returns the version of a client. @throws clients_not_built */
    versionOf,

    /** Reads the tarball of a version. @throws client_version_not_found, clients_not_built */
    async read(name: ClientName, version: string): Promise<ClientTarball> {
      const current = await versionOf(name);
      if (version === current) return readTarball(name);
      throw new ClientVersionNotFoundError(
        `This registry serves only version ${current} of ${name}: GET /clients lists its URL.`,
      );
    },
  };

  async function versionOf(name: ClientName): Promise<string> {
    const client = (await readIndex()).find((it) => it.name === name);
    if (!client) throw notBuilt();
    return client.version;
  }

  async function readTarball(name: ClientName): Promise<ClientTarball> {
    const bytes = await readBuilt(`${name}.tgz`);
    return { bytes, digest: digestOf(createHash('sha256').update(bytes)) };
  }

  async function readBuilt(name: string): Promise<Buffer> {
    try {
      return await readFile(join(directory, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw notBuilt(error);
    }
  }
}

function notBuilt(cause?: unknown): Error {
  const detail = 'The clients are not built: run `npm run build` on the machine of the registry.';
  return new ClientsNotBuiltError(detail, { cause });
}
