// Generates the wire types of the web interface from the OpenAPI document: `ui/src/api/generated/schema.ts`, which is
// not under version control.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import openapiTypescript, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { createServer } from '../api/index.ts';
import { repositoryRoot } from './runtime.ts';

const WIRE_TYPES = join(repositoryRoot, 'ui/src/api/generated/schema.ts');

if (import.meta.main) await writeWireTypes();

/** Reads the OpenAPI document from a temporary server, and writes the types. */
export async function writeWireTypes(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-types-'));
  const server = await createServer({ env: { DATA_DIR: dataDir, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'silent' } });
  try {
    const description = (await (await fetch(`${server.address}/api/v1/openapi.json`)).json()) as OpenAPI3;
    await mkdir(dirname(WIRE_TYPES), { recursive: true });
    await writeFile(WIRE_TYPES, astToString(await openapiTypescript(description)));
  } finally {
    await server.close();
    await rm(dataDir, { recursive: true });
  }
}
