// Run while the image is built: starts Berth once on a folder that is thrown away, so that what it loads is compiled
// into NODE_COMPILE_CACHE. The cache is the running user's alone.

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
