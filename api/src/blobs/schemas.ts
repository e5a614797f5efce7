// The wire shapes of the storage: what it holds, and how its sweep and its scrub stand.

import { Type, type TSchema } from 'typebox';

const Count = Type.Integer({ minimum: 0 });
const Bytes = Type.Integer({ minimum: 0, description: 'Bytes' });
const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
const Timestamp = Type.String({
  format: 'date-time',
  description: 'ISO 8601 UTC with milliseconds, by the clock of the database',
});

const SWEEP_COUNTS = {
  removedBlobs: Type.Integer({ minimum: 0, description: 'Blobs that no slot has referred to for the grace period' }),
  removedObjects: Type.Integer({
    minimum: 0,
    description: 'Objects of the storage that belong to nothing, unfinished ones too',
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
    description: 'Found unsound by an earlier scrub, and sound by this one',
  }),
};

const Reason = Type.String({
  enum: ['size', 'digest', 'unreadable', 'gone'],
  description:
    'size, digest: other bytes are there; unreadable: the storage works, but not for this blob; gone: ' +
    'nothing is there',
});
const FindingSchema = Type.Object(
  {
    digest: Digest,
    reason: Reason,
    artefacts: Type.Array(
      Type.Object({ id: Type.String(), architecture: Type.String({ description: 'Empty for a file artefact' }) }),
      { description: 'The slots that hold it' },
    ),
  },
  { title: 'Finding' },
);

export const SweepResultSchema = Type.Object(
  {
    dryRun: Type.Boolean(),
    ...SWEEP_COUNTS,
    digests: Type.Optional(Type.Array(Digest, { description: 'Of a dry run: blobs that would go, 1,000 at most' })),
  },
  { title: 'SweepResult' },
);

const SweepProgressSchema = Type.Object({ phase: Type.String({ enum: ['blobs', 'objects'] }), ...SWEEP_COUNTS });
const ScrubProgressSchema = Type.Object({
  cursor: Type.String({ description: 'Digests up to this one are checked' }),
  ...SCRUB_COUNTS,
  findings: Type.Array(Type.Object({ digest: Digest, reason: Reason })),
});
const ScrubResultSchema = Type.Object(
  {
    ...SCRUB_COUNTS,
    damaged: Type.Array(FindingSchema, { description: '1,000 findings at most; the counts are complete' }),
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
      running: Type.Boolean({ description: 'In whichever replica' }),
      dueAt: Type.Optional(Timestamp),
      startedAt: Type.Optional(Timestamp),
      endedAt: Type.Optional(Timestamp),
      outcome: Type.Optional(
        Type.String({ enum: ['succeeded', 'failed'], description: 'Of the last run that ended' }),
      ),
      error: Type.Optional(Type.String({ description: 'Code of the last failure' })),
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
    sharedBytes: Type.Integer({ minimum: 0, description: 'Bytes saved by keeping equal ones once' }),
    unsoundBlobs: Type.Integer({ minimum: 0, description: 'Found damaged or missing, and not uploaded again since' }),
    graceHours: Type.Number({ minimum: 0 }),
    sweep: SweepJobSchema,
    scrub: ScrubJobSchema,
  },
  { title: 'Storage' },
);

export const SweepRequestSchema = Type.Object(
  {
    dryRun: Type.Optional(Type.Boolean({ description: 'Only tell what would go, at once' })),
  },
  { additionalProperties: false },
);

export const ScrubRequestSchema = Type.Object({}, { additionalProperties: false });
