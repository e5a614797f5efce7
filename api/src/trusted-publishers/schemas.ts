import { Type, type Static } from 'typebox';
import { scopeFields } from '../api-keys/index.ts';

/** How long a key that was given for an identity token holds: enough for a large file over a slow line. */
export const TOKEN_LIFETIME_SECONDS = 3600;

const MAX_TEXT_LENGTH = 256;
/** Tokens of GitHub and GitLab have 2 to 3 KiB. */
const MAX_TOKEN_LENGTH = 16_384;
const text = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: MAX_TEXT_LENGTH,
    pattern: '^(?!\\s*$)[^\\u0000-\\u001f\\u007f]*$',
    description,
  });

const fields = {
  name: text('What lists and the audit log call it'),
  provider: Type.Union([Type.Literal('github'), Type.Literal('gitlab')], {
    description: 'Whose claims its tokens have',
  }),
  issuer: text('Who signs the tokens: an https URL, exactly as in their claim iss'),
  repository: text('owner/name on GitHub, the path of the project on GitLab; capitals do not count'),
  repositoryId: Type.Optional(
    text('Number of the repository or project, which nobody else gets when the name becomes free'),
  ),
  workflow: Type.Optional(
    text(
      'publish.yml: a file in the folder of workflows on GitHub; .gitlab-ci.yml: a path in the project on ' +
        'GitLab. Left out: any',
    ),
  ),
  environment: Type.Optional(text('Environment that the job runs in. Left out: any, and none')),
  ...scopeFields,
};

export const NewPublisherSchema = Type.Object(
  { ...fields, issuer: Type.Optional(fields.issuer) },
  {
    additionalProperties: false,
    title: 'NewTrustedPublisher',
    description: 'The issuer is that of github.com or gitlab.com when left out',
  },
);
export type NewPublisher = Static<typeof NewPublisherSchema>;

export const PublisherSchema = Type.Object(
  {
    _id: Type.String(),
    ...fields,
    createdAt: Type.String({ format: 'date-time' }),
    createdBy: Type.Optional(Type.Object({ userId: Type.String(), userName: Type.String() })),
    lastUsedAt: Type.Optional(Type.String({ format: 'date-time', description: 'When a pipeline last got a key' })),
  },
  { title: 'TrustedPublisher' },
);
export type Publisher = Static<typeof PublisherSchema>;

export const PublisherListSchema = Type.Object(
  { results: Type.Array(PublisherSchema, { description: 'The newest first' }), count: Type.Integer() },
  { title: 'TrustedPublisherList' },
);
export type PublisherList = Static<typeof PublisherListSchema>;

export const ExchangeSchema = Type.Object(
  {
    token: Type.String({
      minLength: 1,
      maxLength: MAX_TOKEN_LENGTH,
      description: 'The identity token of the job, made for the address of this registry as its audience',
    }),
    artefactId: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_TEXT_LENGTH,
        description: 'What is to be uploaded: of several publishers that a job matches, the one that may',
      }),
    ),
  },
  { additionalProperties: false, title: 'Exchange' },
);
export type Exchange = Static<typeof ExchangeSchema>;

export const UploadTokenSchema = Type.Object(
  {
    key: Type.String({ description: 'An upload key, shown this one time' }),
    expiresAt: Type.String({ format: 'date-time', description: `${TOKEN_LIFETIME_SECONDS / 60} minutes from now` }),
    publisher: Type.Object({ _id: Type.String(), name: Type.String() }),
  },
  { title: 'UploadToken' },
);
export type IssuedToken = Static<typeof UploadTokenSchema>;
