export { connectRpc, type Calls, type Port } from './rpc.ts';
export { createWorker, type BackgroundWorker } from './worker.ts';
