// Run by server-process.ts: a Berth that prints its address and ends with its standard input.

import { createServer } from '../../index.ts';

const server = await createServer({ env: process.env, logStream: process.stderr });
process.stdin.on('end', () => process.exit()).resume();
console.log(server.address);
