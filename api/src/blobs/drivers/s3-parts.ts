// How long the parts of an upload are. S3 takes at most 10,000, each but the last of 5 MiB to 5 GiB
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).

const MIB = 1024 * 1024;

/**
 * Memory is held for whole parts, so they begin as short as they may be and grow late: 4.9 GiB in parts of 5 MiB, 20
 * GiB before one has 32 MiB, 208 GiB before one is longer. /
 */
const STAGES = [
  { parts: 1_000, partBytes: 5 * MIB },
  { parts: 1_000, partBytes: 16 * MIB },
  { parts: 6_000, partBytes: 32 * MIB },
  { parts: 2_000, partBytes: 128 * MIB },
];

/** Longest blob on S3: 458 GiB. */
export const MAX_S3_BLOB_BYTES = STAGES.reduce((sum, { parts, partBytes }) => sum + parts * partBytes, 0);

/** Tells the length of a part, counted from 1. @throws RangeError beyond the last */
export function partBytesOf(partNumber: number): number {
  let left = partNumber;
  for (const { parts, partBytes } of STAGES) {
    if (left <= parts) return partBytes;
    left -= parts;
  }
  throw new RangeError(`an upload to S3 has no part ${partNumber}`);
}
