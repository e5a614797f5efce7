// Process entry point; `index.ts` assembles the server.

import { enableCompileCache } from 'node:module';

// First of all, as it holds for the whole process: what it writes is for nobody else on this machine.
process.umask(0o077);
enableCompileCache();
const { serve } = await import('./index.ts');
await serve(process.env);
