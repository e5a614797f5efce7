#!/usr/bin/env -S node --max-semi-space-size=1
import module from 'node:module';

module.enableCompileCache?.();
const { run } = await import('../dist/main.js');
await run(process.argv.slice(2));
