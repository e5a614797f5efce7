// Run by tests: sweeps or scrubs the instance of the environment in a separate process, as the command line does.
// Argument: `sweep`, `dry-run` or `scrub`. Prints the result, or the error code, as JSON.

import { scrub, sweep } from '../../index.ts';

const reported: number[] = [];
const onProgress = ({ checkedBlobs }: { checkedBlobs: number }) => {
  reported.push(checkedBlobs);
};
const work =
  process.argv[2] === 'scrub'
    ? scrub(process.env, { onProgress })
    : sweep(process.env, { dryRun: process.argv[2] === 'dry-run', onProgress });
console.log(
  JSON.stringify(
    await work.then(
      (result) => ({ result, reported }),
      (error: unknown) => ({ code: (error as { code?: unknown }).code }),
    ),
  ),
);
