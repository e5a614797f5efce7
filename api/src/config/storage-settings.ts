// Settings of the database and of blob storage.

import { Type } from 'typebox';
import { OneOf } from './field-types.ts';
import { isDatabaseUrl, isUrl } from './formats.ts';

/** One or more path segments of characters that S3 and every proxy pass on unchanged; no `.` or `..` segment. */
const S3_FOLDERS = "^/?(?!.*(?:^|/)\\.{1,2}(?:/|$))[\\w!*'().-]+(?:/[\\w!*'().-]+)*/?$";

export const storageSettings = {
  DATA_DIR: Type.String({
    minLength: 1,
    default: './data',
    description: 'Folder of the embedded database, the files and the generated secrets',
  }),
  DATABASE_URL: Type.Optional(
    Type.String({
      pattern: '^postgres(ql)?://',
      accepts: isDatabaseUrl,
      expected:
        'of the form postgres://berth:password@db.example.org/berth, with special characters of the password ' +
        'percent-encoded (# as %23, / as %2F)',
      secret: true,
      description: 'PostgreSQL database (postgres://…), required for several replicas. Default: SQLite in DATA_DIR',
    }),
  ),
  DATABASE_POOL_SIZE: Type.Integer({
    minimum: 2,
    maximum: 1000,
    default: 20,
    description:
      'Maximum number of PostgreSQL connections per replica; the total of all replicas must stay below ' +
      'max_connections',
  }),
  FILES_STORAGE: OneOf(['fs', 's3'], {
    default: 'fs',
    description: 'Where artefact files are stored: in DATA_DIR, or as objects in an S3 bucket',
  }),
  S3_ENDPOINT: Type.Optional(
    Type.String({
      pattern: '^https?://[^/?#@]+/?$',
      accepts: isUrl,
      examples: ['https://s3.example.org'],
      description:
        'URL of the S3 server; clients must reach it too if downloads are redirected. Default: the Amazon endpoint ' +
        'of S3_REGION',
    }),
  ),
  S3_REGION: Type.String({
    pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$',
    examples: ['eu-west-3'],
    default: 'us-east-1',
    description: 'Region used to sign requests',
  }),
  S3_BUCKET: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$',
      expected: '3 to 63 letters, digits, dots and hyphens',
      description: 'Existing bucket. Required with FILES_STORAGE=s3',
    }),
  ),
  S3_ACCESS_KEY_ID: Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]+$',
      expected: 'printable ASCII without spaces',
      description:
        'Access key ID. Default: the credentials that the environment gives, such as those of an IAM role (AWS_… ' +
        'variables, container or instance metadata)',
    }),
  ),
  S3_SECRET_ACCESS_KEY: Type.Optional(
    Type.String({ minLength: 1, secret: true, description: 'Secret access key. Required with S3_ACCESS_KEY_ID' }),
  ),
  S3_FORCE_PATH_STYLE: Type.Boolean({
    default: false,
    description:
      'Put the bucket name in the URL path instead of the host name; most servers other than Amazon need it',
  }),
  S3_ROOT_DIR: Type.Optional(
    Type.String({
      maxLength: 512,
      pattern: S3_FOLDERS,
      examples: ['registry/production'],
      description: 'Folder in the bucket; Berth never reads or writes outside it. Default: the whole bucket',
    }),
  ),
  S3_REDIRECT: Type.Boolean({
    default: true,
    description: 'Redirect downloads to S3 with a signed URL; set to false if clients cannot reach the S3 server',
  }),
  S3_DOWNLOAD_URL_EXPIRY_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 604_800,
    default: 900,
    description:
      'Lifetime of a signed URL; a download that started in time may finish later. Ends with temporary credentials',
  }),
  S3_CHECKSUMS: OneOf(['WHEN_REQUIRED', 'WHEN_SUPPORTED'], {
    default: 'WHEN_REQUIRED',
    description:
      'When the S3 client sends its own checksums and verifies those of responses; WHEN_SUPPORTED works with ' +
      'Amazon, other servers may reject it',
  }),
  ACCEL_REDIRECT_PREFIX: Type.Optional(
    Type.String({
      pattern: '^(/[A-Za-z0-9_-]+)+/$',
      examples: ['/internal-blobs/'],
      description:
        'Internal location of the nginx in front of Berth, which then sends downloads itself (X-Accel-Redirect); ' +
        'only with FILES_STORAGE=fs',
    }),
  ),
  SCRUB_EVERY_DAYS: Type.Integer({
    minimum: 0,
    maximum: 3650,
    default: 30,
    description:
      'How often all stored files are read back and compared with their digests, at 100 MB/s at most; 0: only on ' +
      'demand (berth scrub, or the storage page)',
  }),
  GC_GRACE_HOURS: Type.Integer({
    minimum: 0,
    maximum: 8760,
    default: 24,
    description: 'How long unreferenced files are kept before garbage collection deletes them',
  }),
};
