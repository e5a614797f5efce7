// A process of its own that calls ensureArtefact once with the options given as JSON, and prints the result as JSON.

import { ensureArtefact } from '../../dist/index.js';
import type { EnsureArtefactOptions } from '../../dist/index.js';

const options = JSON.parse(process.argv[2] ?? '{}') as EnsureArtefactOptions;
console.log(JSON.stringify(await ensureArtefact(options)));
