// Part sizes of a multipart upload. S3 accepts at most 10,000 parts, each but the last of 5 MiB to 5 GiB
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).

const MIB = 1024 * 1024;

/**
 * Whole parts are buffered in memory, so they start as short as allowed and grow late: the first 4.9 GiB in parts of
 * 5 MiB, up to 20 GiB in parts of 16 MiB, up to 208 GiB in parts of 32 MiB.
 */
const STAGES = [
  { parts: 1_000, partBytes: 5 * MIB },
  { parts: 1_000, partBytes: 16 * MIB },
  { parts: 6_000, partBytes: 32 * MIB },
  { parts: 2_000, partBytes: 128 * MIB },
];

/** Longest blob on S3: 458 GiB. */
export const MAX_S3_BLOB_BYTES = STAGES.reduce((sum, { parts, partBytes }) => sum + parts * partBytes, 0);

/** Returns the length of a part, counted from 1. @throws RangeError beyond the last part */
export function partBytesOf(partNumber: number): number {
  let left = partNumber;
  for (const { parts, partBytes } of STAGES) {
    if (left <= parts) return partBytes;
    left -= parts;
  }
  throw new RangeError(`part number ${partNumber} is beyond the last part of an S3 upload`);
}
