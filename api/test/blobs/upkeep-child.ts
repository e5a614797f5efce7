// Run by tests: sweeps or scrubs the data of the environment in a process of its own, as the command line does.
// Arguments: `sweep`, `dry-run` or `scrub`. Prints the result, or the code of the failure, as JSON.

import { scrub, sweep } from '../../index.ts';

const shown: number[] = [];
const onProgress = ({ checkedBlobs }: { checkedBlobs: number }) => {
  shown.push(checkedBlobs);
};
const work =
  process.argv[2] === 'scrub'
    ? scrub(process.env, { onProgress })
    : sweep(process.env, { dryRun: process.argv[2] === 'dry-run', onProgress });
console.log(
  JSON.stringify(
    await work.then(
      (result) => ({ result, shown }),
      (error: unknown) => ({ code: (error as { code?: unknown }).code }),
    ),
  ),
);
