// Wire formats of artefacts. Existing clients depend on them.

import { Type, type Static } from 'typebox';
import { AccountSchema } from '../access/index.ts';
import { FormFileSchema, pageFields } from '../http/index.ts';

const MAX_TEXT_LENGTH = 2000;
/** A page of documentation. Upload forms take MAX_TEXT_LENGTH. */
const MAX_DESCRIPTION_LENGTH = 20_000;
const MAX_QUERY_LENGTH = 500;

/** PostgreSQL stores no NUL. */
const text = (maxLength: number) => Type.Optional(Type.String({ maxLength, pattern: '^[^\\u0000]*$' }));
const localised = (maxLength: number, title: string) =>
  Type.Object({ fr: text(maxLength), en: text(maxLength) }, { additionalProperties: false, title });

export const LocalisedTextSchema = localised(MAX_TEXT_LENGTH, 'LocalisedText');
export const LongLocalisedTextSchema = localised(MAX_DESCRIPTION_LENGTH, 'LongLocalisedText');

const UploaderSchema = Type.Union(
  [
    Type.Object({ apiKeyId: Type.String(), apiKeyName: Type.String(), shortId: Type.String() }),
    Type.Object({ internal: Type.Literal(true) }),
    Type.Object({ userId: Type.String(), userName: Type.String() }),
  ],
  { title: 'Uploader', description: 'Who uploaded; visible to superadmins, internal services and the uploader only' },
);

const Digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' });
const Timestamp = Type.String({ format: 'date-time', description: 'ISO 8601 UTC with milliseconds' });

const TarballWarningSchema = Type.Object(
  {
    code: Type.Union([Type.Literal('name_collision'), Type.Literal('windows_name')], {
      description:
        'name_collision: names that are the same where case or the form of accents is ignored, as on macOS and ' +
        'Windows; windows_name: names that Windows cannot hold',
    }),
    count: Type.Integer({ description: 'Number of entries' }),
    paths: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'Up to four of them, below package/; visible to superadmins, internal services and the uploader only',
      }),
    ),
  },
  { title: 'TarballWarning', description: 'Names in the tarball that not all systems can unpack' },
);

const TarballSchema = Type.Object(
  {
    path: Type.String({ description: 'Identifies these bytes in this slot' }),
    size: Type.Integer({ description: 'Bytes' }),
    digest: Digest,
    version: Type.String(),
    uploadedAt: Timestamp,
    uploadedBy: Type.Optional(UploaderSchema),
    hasNativeModules: Type.Boolean({ description: 'Whether bundled packages have native code' }),
    hasNativeCode: Type.Optional(
      Type.Boolean({ description: 'Whether the package itself has native code; left out until it is known' }),
    ),
    hasInstallScripts: Type.Boolean(),
    warnings: Type.Optional(Type.Array(TarballWarningSchema, { description: 'Left out if there are none' })),
  },
  { title: 'Tarball' },
);

/** Documents are stored rendered: this schema describes them, and the tests check that they conform. */
export const ArtefactSchema = Type.Object(
  {
    _id: Type.String(),
    name: Type.String(),
    format: Type.Union([Type.Literal('npm'), Type.Literal('file')]),
    packageName: Type.Optional(Type.String()),
    version: Type.Optional(Type.String({ description: 'From the manifest, for display only' })),
    licence: Type.Optional(Type.String()),
    packageDescription: Type.Optional(
      Type.String({ description: 'package.json#description, trimmed, at most 2,000 characters' }),
    ),
    keywords: Type.Optional(Type.Array(Type.String(), { description: 'At most 20, of at most 50 characters each' })),
    links: Type.Optional(
      Type.Object(
        {
          repository: Type.Optional(Type.String()),
          homepage: Type.Optional(Type.String()),
          issues: Type.Optional(Type.String()),
        },
        { title: 'PackageLinks', description: 'From package.json: http or https URLs' },
      ),
    ),
    category: Type.String(),
    tarballs: Type.Optional(
      Type.Record(Type.String(), TarballSchema, { description: 'npm only: one slot per architecture' }),
    ),
    filePath: Type.Optional(Type.String()),
    fileName: Type.Optional(Type.String()),
    digest: Type.Optional(Digest),
    path: Type.Optional(Type.String()),
    hasNativeModules: Type.Optional(Type.Boolean()),
    size: Type.Integer(),
    title: Type.Optional(LocalisedTextSchema),
    description: Type.Optional(LongLocalisedTextSchema),
    group: Type.Optional(LocalisedTextSchema),
    documentation: Type.Optional(Type.String()),
    processingConfigSchema: Type.Optional(Type.Unknown({ description: 'JSON schema' })),
    applicationConfigSchema: Type.Optional(Type.Unknown({ description: 'JSON schema' })),
    thumbnail: Type.Optional(Type.Object({ id: Type.String(), width: Type.Integer(), height: Type.Integer() })),
    public: Type.Boolean(),
    privateAccess: Type.Array(AccountSchema, { description: 'Empty for callers who may not see it' }),
    deprecated: Type.Boolean(),
    origin: Type.Optional(Type.String({ description: 'Set on mirrors only' })),
    uploadedBy: Type.Optional(UploaderSchema),
    createdAt: Timestamp,
    updatedAt: Timestamp,
    dataUpdatedAt: Timestamp,
  },
  { title: 'Artefact' },
);

export const ReceiptSchema = Type.Object({ artefact: ArtefactSchema }, { title: 'Receipt' });
export const ArtefactListSchema = Type.Object({
  results: Type.Array(ArtefactSchema),
  count: Type.Integer({ description: 'Number of all matches, not only on this page' }),
});
export const CategoryListSchema = Type.Object({ results: Type.Array(Type.String()) });
export const GroupListSchema = Type.Object({ results: Type.Array(Type.String()) });

export const PackageListSchema = Type.Object({
  results: Type.Array(
    Type.Object({
      name: Type.String(),
      version: Type.String(),
      licence: Type.Optional(Type.String()),
      path: Type.String(),
    }),
  ),
  count: Type.Integer(),
});
export const FileListSchema = Type.Object({
  results: Type.Array(
    Type.Object({
      path: Type.String({ description: 'Below package/' }),
      size: Type.Integer({ description: 'Bytes' }),
      mode: Type.Integer({ description: 'Permission bits' }),
      type: Type.String({ description: 'file, directory, link or symlink' }),
      target: Type.Optional(Type.String()),
      digest: Type.Optional({ ...Digest, description: 'Of a file; left out until it is known' }),
    }),
  ),
  count: Type.Integer(),
});

const MAX_STATS_DAYS = 3660;
export const DEFAULT_STATS_DAYS = 30;
export const StatsQuerySchema = Type.Object(
  {
    days: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_STATS_DAYS,
        default: DEFAULT_STATS_DAYS,
        description: 'Number of days, including today; at least the last 400 are kept',
      }),
    ),
    artefact: Type.Optional(Type.String({ description: 'Id of one artefact' })),
  },
  { additionalProperties: false },
);
const transferSums = {
  uploads: Type.Integer(),
  uploadedBytes: Type.Integer(),
  downloads: Type.Integer(),
  downloadedBytes: Type.Integer(),
};
export const StatsSchema = Type.Object(
  {
    artefacts: Type.Integer(),
    slots: Type.Integer(),
    blobs: Type.Integer(),
    storedBytes: Type.Integer({ description: 'Stored bytes' }),
    referredBytes: Type.Integer({
      description: 'Bytes of all slots: the size of the storage without deduplication',
    }),
    results: Type.Array(Type.Object({ day: Type.String({ description: '2026-01-31, UTC' }), ...transferSums }), {
      description: 'Latest day first; days without transfers are omitted',
    }),
    months: Type.Array(Type.Object({ month: Type.String({ description: '2026-01' }), ...transferSums }), {
      description: 'Whole months that ended more than 400 days ago, latest first; days are not kept that long',
    }),
  },
  { title: 'Stats' },
);

export const IdParamsSchema = Type.Object({
  id: Type.String({ description: 'One URL-encoded path segment: %40acme%2Fimport-gpkg%401' }),
});
export const SlotParamsSchema = Type.Object({ id: Type.String(), architecture: Type.String() });
export const ArchitectureQuerySchema = Type.Object({
  architecture: Type.Optional(Type.String({ description: 'Such as x64 or arm64; falls back to noarch' })),
});
export const DownloadQuerySchema = Type.Object({
  ...ArchitectureQuerySchema.properties,
  redirect: Type.Optional(
    Type.Boolean({ description: 'False: this server sends the bytes instead of redirecting to the storage' }),
  ),
});

const commonFormFields = {
  category: Type.Optional(
    Type.String({ description: 'Default: package.json#registry.category, else the current one, else other' }),
  ),
  title: Type.Optional(Type.String({ description: 'JSON: {"fr":"…","en":"…"}' })),
  description: Type.Optional(Type.String({ description: 'JSON: {"fr":"…","en":"…"}' })),
};

/** Upload forms, for the API description only: their bodies are streamed, with fields in any order. */
export const UploadFormSchemas = {
  npm: Type.Object({
    file: FormFileSchema,
    architecture: Type.Optional(Type.String({ description: 'Default: noarch' })),
    ...commonFormFields,
  }),
  file: Type.Object({
    file: FormFileSchema,
    fileName: Type.Optional(Type.String({ description: 'Default: the name of the uploaded file, else the id' })),
    ...commonFormFields,
  }),
};

export const DEFAULT_PAGE_SIZE = 10;
const SORT_KEYS = [
  'dataUpdatedAt',
  '-dataUpdatedAt',
  'name',
  '-name',
  'version',
  '-version',
  'group.fr',
  '-group.fr',
  'group.en',
  '-group.en',
  'public',
  '-public',
  'vulnerabilities',
] as const;

export const ListQuerySchema = Type.Object({
  q: Type.Optional(
    Type.String({
      maxLength: MAX_QUERY_LENGTH,
      description: 'Words in any order; case and accents are ignored',
    }),
  ),
  category: Type.Optional(Type.String()),
  format: Type.Optional(Type.Union([Type.Literal('npm'), Type.Literal('file')])),
  group: Type.Optional(Type.String()),
  packageName: Type.Optional(Type.String()),
  origin: Type.Optional(Type.String()),
  includeDeprecated: Type.Optional(Type.Boolean({ default: false })),
  sort: Type.Optional(
    Type.Unsafe<(typeof SORT_KEYS)[number]>({
      type: 'string',
      enum: [...SORT_KEYS],
      default: 'dataUpdatedAt',
      description:
        'dataUpdatedAt: newest first. version: as semver sorts, artefacts without one first. group.fr, group.en: ' +
        'artefacts without a group first. public, vulnerabilities: for superadmins; the default order for others. ' +
        'With "-", the reverse order',
    }),
  ),
  ...pageFields(DEFAULT_PAGE_SIZE),
});
export type ListQuery = Static<typeof ListQuerySchema>;

export const GroupsQuerySchema = Type.Object(
  {
    category: Type.String(),
    locale: Type.Union([Type.Literal('fr'), Type.Literal('en')]),
  },
  { additionalProperties: false },
);

const Nullable = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Optional(Type.Union([schema, Type.Null()]));

export const PatchSchema = Type.Object(
  {
    title: Nullable(LocalisedTextSchema),
    description: Nullable(LongLocalisedTextSchema),
    group: Nullable(LocalisedTextSchema),
    documentation: Nullable(Type.String({ format: 'uri', maxLength: MAX_TEXT_LENGTH, pattern: '^https?://' })),
    category: Nullable(Type.String()),
    public: Nullable(Type.Boolean()),
    privateAccess: Nullable(Type.Array(AccountSchema, { maxItems: 1000 })),
    deprecated: Nullable(Type.Boolean()),
  },
  { additionalProperties: false, title: 'ArtefactPatch', description: 'null unsets a field' },
);
export type Patch = Static<typeof PatchSchema>;
