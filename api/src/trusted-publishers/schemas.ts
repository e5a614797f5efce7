import { Type, type Static } from 'typebox';
import { scopeFields, warningFields } from '../api-keys/index.ts';

/** Lifetime of an issued key: enough to upload a large file over a slow connection. */
export const TOKEN_LIFETIME_SECONDS = 3600;

const MAX_TEXT_LENGTH = 256;
/** Tokens of GitHub and GitLab are 2 to 3 KiB. */
const MAX_TOKEN_LENGTH = 16_384;
const MAX_EVENTS = 50;
const WILDCARDS = '* stands for any text without a slash, ** for any text';
const text = (description: string) =>
  Type.String({
    minLength: 1,
    maxLength: MAX_TEXT_LENGTH,
    pattern: '^(?!\\s*$)[^\\u0000-\\u001f\\u007f]*$',
    description,
  });

const fields = {
  name: text('Name in lists and the audit log'),
  provider: Type.Union([Type.Literal('github'), Type.Literal('gitlab')], {
    description: 'Platform, which determines the claims of its tokens',
  }),
  issuer: text('Issuer of the tokens: an https URL, as in their iss claim'),
  repository: text('owner/name on GitHub, the project path on GitLab; case-insensitive'),
  repositoryId: Type.Optional(
    text(
      'Number of the repository or project, which is not reused when the name becomes free. Left out: that of the ' +
        'first job that obtains a key',
    ),
  ),
  workflow: Type.Optional(
    text(
      'GitHub: a file in .github/workflows, such as publish.yml; GitLab: a path in the project, such as ' +
        '.gitlab-ci.yml. Left out: any',
    ),
  ),
  branch: Type.Optional(text(`Branch of the job, such as main; ${WILDCARDS}`)),
  tag: Type.Optional(text(`Tag of the job, such as v*; ${WILDCARDS}. With a branch as well, either matches`)),
  environment: Type.Optional(text('Environment of the job; case-insensitive on GitHub. Left out: any or none')),
  anyRef: Type.Optional(
    Type.Boolean({
      description: 'Accepts jobs of every branch and tag; false by default. Contradicts branch and tag',
    }),
  ),
  events: Type.Optional(
    Type.Array(text('Event, such as push'), {
      minItems: 1,
      maxItems: MAX_EVENTS,
      description:
        'The only events whose jobs match: event_name on GitHub, pipeline_source on GitLab. Left out: all but ' +
        'pull_request, pull_request_review, pull_request_review_comment, pull_request_target, merge_request_event, ' +
        'external_pull_request_event and parent_pipeline, which match only if they are named',
    }),
  ),
  ...scopeFields,
};

export const NewPublisherSchema = Type.Object(
  { ...fields, issuer: Type.Optional(fields.issuer) },
  {
    additionalProperties: false,
    title: 'NewTrustedPublisher',
    description:
      'One of branch, tag and environment is required, unless anyRef is true. The issuer defaults to that of ' +
      'github.com or gitlab.com',
  },
);
export type NewPublisher = Static<typeof NewPublisherSchema>;

export const PublisherSchema = Type.Object(
  {
    _id: Type.String(),
    ...fields,
    createdAt: Type.String({ format: 'date-time' }),
    createdBy: Type.Optional(Type.Object({ userId: Type.String(), userName: Type.String() })),
    lastUsedAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'When a pipeline last obtained a key' }),
    ),
    loose: Type.Optional(
      Type.Boolean({
        description:
          'Whether it was created before branch, tag or environment were required, so that every branch can publish',
      }),
    ),
  },
  { title: 'TrustedPublisher' },
);
export type Publisher = Static<typeof PublisherSchema>;

/** Response to creating a publisher. */
export const CreatedPublisherSchema = Type.Object(
  { ...PublisherSchema.properties, ...warningFields },
  { title: 'CreatedTrustedPublisher' },
);
export type CreatedPublisher = Static<typeof CreatedPublisherSchema>;

export const PublisherListSchema = Type.Object(
  { results: Type.Array(PublisherSchema, { description: 'Newest first' }), count: Type.Integer() },
  { title: 'TrustedPublisherList' },
);
export type PublisherList = Static<typeof PublisherListSchema>;

export const ExchangeSchema = Type.Object(
  {
    token: Type.String({
      minLength: 1,
      maxLength: MAX_TOKEN_LENGTH,
      description: 'Identity token of the job, with the address of this registry as its audience',
    }),
    artefactId: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: MAX_TEXT_LENGTH,
        description: 'Artefact to upload: selects the publisher that may, if the job matches several',
      }),
    ),
  },
  { additionalProperties: false, title: 'Exchange' },
);
export type Exchange = Static<typeof ExchangeSchema>;

export const UploadTokenSchema = Type.Object(
  {
    key: Type.String({ description: 'An upload key, shown only once' }),
    expiresAt: Type.String({ format: 'date-time', description: `${TOKEN_LIFETIME_SECONDS / 60} minutes from now` }),
    publisher: Type.Object({ _id: Type.String(), name: Type.String() }),
  },
  { title: 'UploadToken' },
);
export type IssuedToken = Static<typeof UploadTokenSchema>;
