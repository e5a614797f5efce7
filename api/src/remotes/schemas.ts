// Wire format of federation: schemas for validation and for openapi.json.

import { Type, type Static } from 'typebox';
import { pageFields } from '../http/index.ts';
import { STATUSES } from './remote.ts';

const MAX_NAME_LENGTH = 200;
const MAX_KEY_LENGTH = 4096;
const MAX_SCHEDULE_LENGTH = 100;
const MAX_PATTERNS = 1000;

const Name = Type.String({ minLength: 1, maxLength: MAX_NAME_LENGTH });
const ApiKey = Type.String({
  minLength: 1,
  maxLength: MAX_KEY_LENGTH,
  description: 'A read key of the remote registry; stored encrypted, never shown',
});
const Schedule = Type.Union([Type.String({ maxLength: MAX_SCHEDULE_LENGTH }), Type.Null()], {
  description: 'Cron expression in UTC, such as `30 3 * * *`; null: manual only',
});
const Patterns = Type.Array(Type.String(), {
  maxItems: MAX_PATTERNS,
  description:
    'Artefact ids in which `*` matches any characters except a slash, such as `@acme/*@1`, or `category:<category>`',
});
const Time = Type.String({ description: 'ISO 8601, UTC' });

export const RemoteParamsSchema = Type.Object({ id: Type.String({ description: 'Base URL of the remote registry' }) });
export const SelectedParamsSchema = Type.Object({ id: Type.String(), artefactId: Type.String() });
export const RemoteThumbnailParamsSchema = Type.Object({ id: Type.String(), thumbnailId: Type.String() });

export const CreateRemoteSchema = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 900, description: 'http(s), without credentials' }),
    name: Name,
    apiKey: ApiKey,
    schedule: Type.Optional(Schedule),
    selectedPatterns: Type.Optional(Patterns),
  },
  { additionalProperties: false },
);
export type CreateRemote = Static<typeof CreateRemoteSchema>;

export const PatchRemoteSchema = Type.Object(
  {
    name: Type.Optional(Name),
    apiKey: Type.Optional(ApiKey),
    schedule: Type.Optional(Schedule),
    selectedPatterns: Type.Optional(Patterns),
  },
  { additionalProperties: false },
);
export type PatchRemote = Static<typeof PatchRemoteSchema>;

export const SyncQuerySchema = Type.Object(
  {
    only: Type.Optional(Type.Union([Type.Literal('failed')], { description: 'Retry only failed artefacts' })),
    verify: Type.Optional(
      Type.Boolean({ description: 'Read the local bytes back, compare every digest, and repair damaged bytes' }),
    ),
    confirm: Type.Optional(
      Type.Boolean({ description: 'Continue although the remote has lost more than half of its artefacts or slots' }),
    ),
  },
  { additionalProperties: false },
);
export type SyncQuery = Static<typeof SyncQuerySchema>;

export const SelectSchema = Type.Object(
  { artefactId: Type.String({ minLength: 1, maxLength: 256 }) },
  { additionalProperties: false },
);

export const RemoteListQuerySchema = Type.Object(
  {
    q: Type.Optional(Type.String()),
    category: Type.Optional(Type.String()),
    format: Type.Optional(Type.String()),
    ...pageFields(10),
  },
  { additionalProperties: false },
);
export type RemoteListQuery = Static<typeof RemoteListQuerySchema>;

const ResultSchema = Type.Object({
  artefactId: Type.String(),
  status: Type.Unsafe<(typeof STATUSES)[number]>({
    type: 'string',
    enum: [...STATUSES],
    description:
      '`skipped`: matched by a pattern, but its id is in use here; `gone`: no longer at the remote, the last ' +
      'mirrored version stays',
  }),
  at: Type.Optional(Time),
  bytes: Type.Optional(Type.Number({ description: 'Fetched over the network' })),
  seconds: Type.Optional(Type.Number()),
  reason: Type.Optional(Type.String()),
  attempts: Type.Optional(Type.Number({ description: 'Failures since the last success' })),
  nextTryAt: Type.Optional(Time),
});

const ProgressSchema = Type.Object({
  startedAt: Time,
  done: Type.Number(),
  total: Type.Number(),
  currentArtefact: Type.Optional(Type.String()),
  bytesDone: Type.Optional(Type.Number()),
  bytesTotal: Type.Optional(Type.Number()),
});

export const RemoteSchema = Type.Object({
  _id: Type.String({ description: 'Base URL' }),
  url: Type.String(),
  name: Type.String(),
  apiKeyShortId: Type.Optional(Type.String()),
  schedule: Schedule,
  nextSyncAt: Type.Optional(
    Type.String({ description: 'ISO 8601, UTC: the next scheduled run or retry, while `idle`' }),
  ),
  selectedArtefacts: Type.Array(Type.String()),
  selectedPatterns: Type.Array(Type.String()),
  createdAt: Time,
  syncState: Type.Union([Type.Literal('running'), Type.Literal('interrupted'), Type.Literal('idle')], {
    description:
      '`running`: a run is due or in progress, from the response to the request that makes it due until no further ' +
      'run is due; `interrupted`: the replica that ran it shut down or died, another one continues; `idle`: nothing ' +
      'is due now',
  }),
  syncProgress: Type.Optional(ProgressSchema),
  lastSyncAt: Type.Optional(Time),
  lastSyncStatus: Type.Optional(Type.Union([Type.Literal('success'), Type.Literal('error')])),
  lastSyncError: Type.Optional(
    Type.String({ description: 'Names the first artefacts that failed, as `<id>: <reason>`, and counts the others' }),
  ),
  lastSyncErrorCode: Type.Optional(
    Type.String({
      description:
        '`too_many_removed`: nothing was changed, synchronise with `confirm` if the removals are right; ' +
        '`artefacts_failed`: see results; ' +
        '`sync_parked`: the server ended during three runs in a row, the next one has to be requested; ' +
        'otherwise the code of the problem, such as `remote_unavailable`, or `internal_error`',
    }),
  ),
  results: Type.Array(ResultSchema),
});
export type RemoteView = Static<typeof RemoteSchema>;

export const RemoteListSchema = Type.Object({ results: Type.Array(RemoteSchema), count: Type.Number() });

export const RemoteArtefactListSchema = Type.Object({
  results: Type.Array(
    Type.Object(
      {
        _id: Type.String(),
        local: Type.Object({
          synced: Type.Boolean(),
          upToDate: Type.Boolean(),
          selected: Type.Boolean(),
          dataUpdatedAt: Type.Optional(Time),
        }),
      },
      { additionalProperties: true },
    ),
  ),
  count: Type.Number({ description: 'On all pages; deprecated artefacts count only if they are selected' }),
});
