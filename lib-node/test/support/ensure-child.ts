// Child process: calls the named function once, with options in JSON, and prints the result as JSON.

import { ensureArtefact, ensureArtefactFile } from '../../dist/index.js';
import type { EnsureArtefactOptions } from '../../dist/index.js';

const [, , name, options = '{}'] = process.argv;
const ensure = name === 'ensureArtefactFile' ? ensureArtefactFile : ensureArtefact;
console.log(JSON.stringify(await ensure(JSON.parse(options) as EnsureArtefactOptions)));
