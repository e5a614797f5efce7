import { Type, type Static } from 'typebox';
import { AccountSchema } from '../access/index.ts';

/** A list's page when no size is asked for, and the largest; a registry has fewer keys than that. */
export const MAX_PAGE_SIZE = 1000;
const MAX_NAME_LENGTH = 200;
/** As long as the longest artefact id; npm's package names are shorter. */
const MAX_SCOPE_LENGTH = 256;

/** Not blank, and no control characters: PostgreSQL stores no NUL, and a list shows one line a key. */
const text = (maxLength: number, description?: string) =>
  Type.String({
    minLength: 1,
    maxLength,
    pattern: '^(?!\\s*$)[^\\u0000-\\u001f\\u007f]*$',
    ...(description && { description }),
  });

const KeyTypeSchema = Type.Union([Type.Literal('upload'), Type.Literal('read')]);

const commonFields = {
  type: KeyTypeSchema,
  name: text(MAX_NAME_LENGTH),
};

/** Each scope that is set must hold for an upload. */
export const scopeFields = {
  allowedName: Type.Optional(text(MAX_SCOPE_LENGTH, 'The one artefact id that the key may upload to')),
  allowedNamePrefix: Type.Optional(text(MAX_SCOPE_LENGTH, 'What the artefact id must start with')),
  allowedPackageName: Type.Optional(text(MAX_SCOPE_LENGTH, 'The package name that the manifest must have')),
  allowedCategory: Type.Optional(text(MAX_SCOPE_LENGTH, 'The category that the artefact must have')),
};

export const NewApiKeySchema = Type.Object(
  {
    ...commonFields,
    ...scopeFields,
    expiresAt: Type.Optional(
      Type.String({
        anyOf: [{ format: 'date-time' }, { format: 'date' }],
        description: 'From this moment on the key is refused; a date alone means its first moment in UTC',
      }),
    ),
    owner: Type.Optional(AccountSchema),
  },
  {
    additionalProperties: false,
    title: 'NewApiKey',
    description: 'Scopes belong to upload keys, an owner to read keys',
  },
);

/** What a key is made from. */
export type NewApiKey = Static<typeof NewApiKeySchema>;

/** A key on the wire; neither its raw form nor its hash is ever here. */
export const ApiKeySchema = Type.Object(
  {
    _id: Type.String(),
    ...commonFields,
    shortId: Type.String({ description: 'Recognises the key: the beginning of its raw form, `reg_1a2b3c4d`' }),
    ...scopeFields,
    owner: Type.Optional(AccountSchema),
    createdAt: Type.String({ format: 'date-time' }),
    createdBy: Type.Optional(Type.Object({ userId: Type.String(), userName: Type.String() })),
    expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
    lastUsedAt: Type.Optional(Type.String({ format: 'date-time', description: 'Exact to the minute' })),
    rotatedAt: Type.Optional(Type.String({ format: 'date-time' })),
    previousShortId: Type.Optional(Type.String({ description: 'Of the raw key that this one has replaced' })),
    previousUntil: Type.Optional(
      Type.String({ format: 'date-time', description: 'Until then the raw key that was replaced holds as well' }),
    ),
  },
  { title: 'ApiKey' },
);

export type ApiKey = Static<typeof ApiKeySchema>;

/** The answer to the creation of a key, the only one that carries the raw key. */
export const CreatedApiKeySchema = Type.Object(
  {
    ...ApiKeySchema.properties,
    key: Type.String({ description: 'The raw key: shown here once, stored only as a hash' }),
  },
  { title: 'CreatedApiKey' },
);

export type CreatedApiKey = Static<typeof CreatedApiKeySchema>;

/** A day, for those who use the key to take over the new one. */
export const DEFAULT_OVERLAP_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 30 * 86_400;

export const RotationSchema = Type.Object(
  {
    overlapSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_OVERLAP_SECONDS,
        description:
          `How long the present raw key holds besides the new one: ${DEFAULT_OVERLAP_SECONDS} by ` +
          'default, 0 ends it at once',
      }),
    ),
    expiresAt: Type.Optional(
      Type.Union([Type.String({ anyOf: [{ format: 'date-time' }, { format: 'date' }] }), Type.Null()], {
        description: 'When the key ends from now on; null: never. Left out: as before',
      }),
    ),
  },
  { additionalProperties: false, title: 'Rotation' },
);

export type Rotation = Static<typeof RotationSchema>;

export const ApiKeyListQuerySchema = Type.Object(
  {
    type: Type.Optional(KeyTypeSchema),
    skip: Type.Optional(
      Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Keys to leave out at the start' }),
    ),
    size: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: `Most keys to return: at most ${MAX_PAGE_SIZE}, which is also the default`,
      }),
    ),
  },
  { additionalProperties: false },
);

export type ApiKeyListQuery = Static<typeof ApiKeyListQuerySchema>;

export const ApiKeyListSchema = Type.Object(
  {
    results: Type.Array(ApiKeySchema, { description: 'The newest first' }),
    count: Type.Integer({ description: 'How many there are in all' }),
  },
  { title: 'ApiKeyList' },
);

export type ApiKeyList = Static<typeof ApiKeyListSchema>;
