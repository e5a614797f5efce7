// Process entry point; `index.ts` assembles the server.

import { enableCompileCache } from 'node:module';

// Before any file is written: other users of this machine must not read the server's files.
process.umask(0o077);
enableCompileCache();
const { serve } = await import('./index.ts');
await serve(process.env);
