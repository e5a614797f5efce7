// A process of its own that calls the named function once with the options given as JSON, and prints the result as
// JSON.

import { ensureArtefact, ensureArtefactFile } from '../../dist/index.js';
import type { EnsureArtefactOptions } from '../../dist/index.js';

const [, , verb, options = '{}'] = process.argv;
const ensure = verb === 'ensureArtefactFile' ? ensureArtefactFile : ensureArtefact;
console.log(JSON.stringify(await ensure(JSON.parse(options) as EnsureArtefactOptions)));
