// Fills NODE_COMPILE_CACHE while the image is built: starts Berth once on a temporary folder, so that all modules are
// compiled. Must run as the user of the image, since the cache belongs to it.

import { mkdtemp, rm } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from '../api/index.ts';

const directory = await mkdtemp(join(tmpdir(), 'warm-up-'));
const server = await createServer({ env: { DATA_DIR: directory, PORT: '0', LOG_LEVEL: 'warn' } });
const response = await fetch(new URL('/api/health/ready', server.address));
await server.close();
await rm(directory, { recursive: true });
if (!response.ok) throw new Error(`The server is not ready: ${response.status}`);
flushCompileCache();
