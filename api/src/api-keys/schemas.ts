import { Type, type Static } from 'typebox';
import { AccountSchema } from '../access/index.ts';
import { MAX_PAGE_SIZE, pageFields } from '../http/index.ts';

const MAX_NAME_LENGTH = 200;
/** As long as the longest artefact id; npm's package names are shorter. */
const MAX_SCOPE_LENGTH = 256;

/** Not blank and without control characters: PostgreSQL cannot store NUL, and lists show one line per key. */
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

/** An upload must satisfy every scope that is set. */
export const scopeFields = {
  allowedName: Type.Optional(text(MAX_SCOPE_LENGTH, 'The only artefact ID that the key may upload to')),
  allowedNamePrefix: Type.Optional(text(MAX_SCOPE_LENGTH, 'Prefix that the artefact ID must have')),
  allowedPackageName: Type.Optional(text(MAX_SCOPE_LENGTH, 'Package name that the manifest must have')),
  allowedCategory: Type.Optional(text(MAX_SCOPE_LENGTH, 'Category that the artefact must have')),
};

export const NewApiKeySchema = Type.Object(
  {
    ...commonFields,
    ...scopeFields,
    expiresAt: Type.Optional(
      Type.String({
        anyOf: [{ format: 'date-time' }, { format: 'date' }],
        description: 'The key is refused from this time on; a date without a time means its start in UTC',
      }),
    ),
    owner: Type.Optional(AccountSchema),
  },
  {
    additionalProperties: false,
    title: 'NewApiKey',
    description: 'Upload keys have scopes, read keys have an owner',
  },
);

/** Fields of a new key. */
export type NewApiKey = Static<typeof NewApiKeySchema>;

/** A key on the wire, without its raw form and hash. */
export const ApiKeySchema = Type.Object(
  {
    _id: Type.String(),
    ...commonFields,
    shortId: Type.String({
      description: 'Identifies the key: the eight characters after `reg_` in its raw form, such as `1a2b3c4d`',
    }),
    ...scopeFields,
    owner: Type.Optional(AccountSchema),
    createdAt: Type.String({ format: 'date-time' }),
    createdBy: Type.Optional(Type.Object({ userId: Type.String(), userName: Type.String() })),
    expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
    lastUsedAt: Type.Optional(Type.String({ format: 'date-time', description: 'Accurate to the minute' })),
    rotatedAt: Type.Optional(Type.String({ format: 'date-time' })),
    previousShortId: Type.Optional(Type.String({ description: 'Short ID of the previous raw key' })),
    previousUntil: Type.Optional(
      Type.String({ format: 'date-time', description: 'The previous raw key stays valid until this time' }),
    ),
  },
  { title: 'ApiKey' },
);

export type ApiKey = Static<typeof ApiKeySchema>;

/** Fields of the response to creating something with scopes. */
export const warningFields = {
  warnings: Type.Optional(
    Type.Array(Type.String(), { description: 'What to check about the scopes, in sentences; left out if nothing' }),
  ),
};

/** Response to creating or rotating a key: the only one that contains the raw key. */
export const CreatedApiKeySchema = Type.Object(
  {
    ...ApiKeySchema.properties,
    ...warningFields,
    key: Type.String({ description: 'The raw key: shown only once, stored only as a hash' }),
  },
  { title: 'CreatedApiKey' },
);

export type CreatedApiKey = Static<typeof CreatedApiKeySchema>;

/** A day, in which clients can switch to the new key. */
export const DEFAULT_OVERLAP_SECONDS = 86_400;
const MAX_OVERLAP_SECONDS = 30 * 86_400;

export const RotationSchema = Type.Object(
  {
    overlapSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_OVERLAP_SECONDS,
        description:
          `How long the current raw key stays valid beside the new one: ${DEFAULT_OVERLAP_SECONDS} by default, ` +
          '0 revokes it immediately',
      }),
    ),
    expiresAt: Type.Optional(
      Type.Union([Type.String({ anyOf: [{ format: 'date-time' }, { format: 'date' }] }), Type.Null()], {
        description: 'New expiry; null: never. Unchanged if left out',
      }),
    ),
  },
  { additionalProperties: false, title: 'Rotation' },
);

export type Rotation = Static<typeof RotationSchema>;

export const ApiKeyListQuerySchema = Type.Object(
  {
    type: Type.Optional(KeyTypeSchema),
    // More keys than a registry usually has.
    ...pageFields(MAX_PAGE_SIZE),
  },
  { additionalProperties: false },
);

export type ApiKeyListQuery = Static<typeof ApiKeyListQuerySchema>;

export const ApiKeyListSchema = Type.Object(
  {
    results: Type.Array(ApiKeySchema, { description: 'Newest first' }),
    count: Type.Integer({ description: 'Total number of matches' }),
  },
  { title: 'ApiKeyList' },
);

export type ApiKeyList = Static<typeof ApiKeyListSchema>;
