// The process: what it is made of is index.ts.

import { enableCompileCache } from 'node:module';

enableCompileCache();
const { serve } = await import('./index.ts');
await serve(process.env);
