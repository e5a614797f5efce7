// Run by server-process.ts: a Berth that prints its address, stops by SIGTERM and ends with its standard input.

import { createServer } from '../../index.ts';
import { FAST_PASSWORDS } from './fast-passwords.ts';

const server = await createServer({ env: process.env, passwords: FAST_PASSWORDS, logStream: process.stderr });
process.on('SIGTERM', () => void server.close().then(() => process.exit(0)));
process.stdin.on('end', () => process.exit()).resume();
console.log(server.address);
