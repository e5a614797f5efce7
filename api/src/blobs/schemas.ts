// Wire schemas of storage administration: totals, and the state of sweep and scrub.

import { Type, type TSchema } from 'typebox';

const Count = Type.Integer({ minimum: 0 });
const Bytes = Type.Integer({ minimum: 0, description: 'Bytes' });
const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
const Timestamp = Type.String({
  format: 'date-time',
  description: "ISO 8601 UTC with milliseconds, by the database's clock",
});

const SWEEP_COUNTS = {
  removedBlobs: Type.Integer({ minimum: 0, description: 'Blobs unreferenced for longer than the grace period' }),
  removedObjects: Type.Integer({
    minimum: 0,
    description: 'Orphaned storage objects, including unfinished ones',
  }),
  endedUploads: Type.Integer({ minimum: 0, description: 'Uploads whose process died' }),
  freedBytes: Bytes,
  checkedBlobs: Count,
  checkedObjects: Count,
};

const SCRUB_COUNTS = {
  checkedBlobs: Count,
  checkedBytes: Bytes,
  damagedBlobs: Count,
  missingBlobs: Count,
  recoveredBlobs: Type.Integer({
    minimum: 0,
    description: 'Damaged or missing in an earlier scrub, intact in this one',
  }),
};

const Reason = Type.String({
  enum: ['size', 'digest', 'unreadable', 'gone'],
  description:
    'size, digest: the stored bytes differ; unreadable: the storage works, but cannot read this blob; gone: the ' +
    'object is missing',
});
const FindingSchema = Type.Object(
  {
    digest: Digest,
    reason: Reason,
    artefacts: Type.Array(
      Type.Object({ id: Type.String(), architecture: Type.String({ description: 'Empty for a file artefact' }) }),
      { description: 'Slots that refer to the blob' },
    ),
  },
  { title: 'Finding' },
);

export const SweepResultSchema = Type.Object(
  {
    dryRun: Type.Boolean(),
    ...SWEEP_COUNTS,
    digests: Type.Optional(
      Type.Array(Digest, { description: 'In a dry run: blobs that would be removed, at most 1,000' }),
    ),
  },
  { title: 'SweepResult' },
);

const SweepProgressSchema = Type.Object({ phase: Type.String({ enum: ['blobs', 'objects'] }), ...SWEEP_COUNTS });
const ScrubProgressSchema = Type.Object({
  cursor: Type.String({ description: 'Digests up to this one have been checked' }),
  ...SCRUB_COUNTS,
  findings: Type.Array(Type.Object({ digest: Digest, reason: Reason })),
});
const ScrubResultSchema = Type.Object(
  {
    ...SCRUB_COUNTS,
    damaged: Type.Array(FindingSchema, { description: 'At most 1,000 findings; the counts are complete' }),
    missing: Type.Array(FindingSchema),
  },
  { title: 'ScrubResult' },
);

const jobSchema = <Progress extends TSchema, Result extends TSchema>(
  title: string,
  progress: Progress,
  result: Result,
) =>
  Type.Object(
    {
      running: Type.Boolean({ description: 'In any replica' }),
      dueAt: Type.Optional(Timestamp),
      startedAt: Type.Optional(Timestamp),
      endedAt: Type.Optional(Timestamp),
      outcome: Type.Optional(Type.String({ enum: ['succeeded', 'failed'], description: 'Of the last completed run' })),
      error: Type.Optional(Type.String({ description: 'Error code of the last failure' })),
      progress: Type.Optional(progress),
      result: Type.Optional(result),
    },
    { title },
  );

export const SweepJobSchema = jobSchema('SweepJob', SweepProgressSchema, SweepResultSchema);
export const ScrubJobSchema = jobSchema('ScrubJob', ScrubProgressSchema, ScrubResultSchema);

export const StorageSchema = Type.Object(
  {
    blobs: Count,
    storedBytes: Bytes,
    sharedBytes: Type.Integer({ minimum: 0, description: 'Bytes saved by deduplication' }),
    unsoundBlobs: Type.Integer({ minimum: 0, description: 'Damaged or missing blobs, not uploaded again since' }),
    graceHours: Type.Number({ minimum: 0 }),
    sweep: SweepJobSchema,
    scrub: ScrubJobSchema,
  },
  { title: 'Storage' },
);

export const SweepRequestSchema = Type.Object(
  {
    dryRun: Type.Optional(Type.Boolean({ description: 'Only report what would be removed, immediately' })),
  },
  { additionalProperties: false },
);

export const ScrubRequestSchema = Type.Object({}, { additionalProperties: false });
