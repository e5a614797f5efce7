// Program of server-process.ts: a server that prints its address, stops on SIGTERM and exits when its stdin closes.

import { createServer } from '../../index.ts';
import { FAST_PASSWORDS } from './fast-passwords.ts';

const server = await createServer({ env: process.env, passwords: FAST_PASSWORDS, logStream: process.stderr });
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)));
process.stdin.on('end', () => process.exit()).resume();
console.log(server.address);
