// The configuration: one typed schema, read once at start from the environment and the optional BERTH_CONFIG
// file. The only reader of the environment; only server.ts and index.ts import it. Secrets live in secrets.ts.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { parse as parseYaml } from 'yaml';

const GIB = 1024 ** 3;
const MIN_SECRET_LENGTH = 32;

/** Folders of the characters that S3 and every proxy take as they are, none of them `.` or `..`. */
const S3_FOLDERS = "^/?(?!.*(?:^|/)\\.{1,2}(?:/|$))[\\w!*'().-]+(?:/[\\w!*'().-]+)*/?$";

const HTTP_URL = '^https?://[^/?#@]+(/[^?#]*)?$';

const Secret = (description: string, minLength = MIN_SECRET_LENGTH) =>
  Type.Optional(Type.String({ minLength, secret: true, description }));
const OneOf = <const Values extends string[]>(
  values: Values,
  rest: { default: Values[number]; description: string },
) => Type.Unsafe<Values[number]>({ type: 'string', enum: values, ...rest });
const List = (rest: { default: string[]; description: string }) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, ...rest });

/** Every setting, by the name of its environment variable. */
const ConfigSchema = Type.Object(
  {
    PORT: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 8080,
      description: 'Port to listen on; 0 takes a free one',
    }),
    HOST: Type.String({
      minLength: 1,
      default: '127.0.0.1',
      description: 'Address to listen on; the container image sets 0.0.0.0',
    }),
    PUBLIC_URL: Type.Optional(
      Type.String({
        pattern: HTTP_URL,
        examples: ['https://example.org/registry'],
        description: 'Where users reach Berth; may carry a path. Default: http://localhost:PORT',
      }),
    ),
    TRUSTED_PROXIES: List({
      default: ['loopback'],
      description: 'Whose forwarding headers count: addresses, CIDR ranges, loopback, linklocal, uniquelocal',
    }),
    DATA_DIR: Type.String({
      minLength: 1,
      default: './data',
      description: 'Embedded database, files and generated secrets',
    }),
    DATABASE_URL: Type.Optional(
      Type.String({
        pattern: '^postgres(ql)?://',
        examples: ['postgres://berth:password@db.example.org/berth'],
        secret: true,
        description: 'postgres://… for several replicas. Default: SQLite in DATA_DIR',
      }),
    ),
    DATABASE_POOL_SIZE: Type.Integer({
      minimum: 2,
      maximum: 1000,
      default: 20,
      description:
        'Connections of one replica to PostgreSQL at most; all replicas together must stay below its max_connections',
    }),
    FILES_STORAGE: OneOf(['fs', 's3'], {
      default: 'fs',
      description: 'Where the bytes of artefacts are kept: files in DATA_DIR, or objects in an S3 bucket',
    }),
    S3_ENDPOINT: Type.Optional(
      Type.String({
        pattern: '^https?://[^/?#@]+/?$',
        examples: ['https://s3.example.org'],
        description:
          'Where the S3 server answers, for Berth and, where downloads are redirected, for clients. Default: ' +
          "Amazon's of S3_REGION",
      }),
    ),
    S3_REGION: Type.String({ minLength: 1, default: 'us-east-1', description: 'Region that requests are signed for' }),
    S3_BUCKET: Type.Optional(
      Type.String({
        minLength: 3,
        maxLength: 63,
        description: 'Bucket; it must exist. Required with FILES_STORAGE=s3',
      }),
    ),
    S3_ACCESS_KEY_ID: Type.Optional(
      Type.String({ minLength: 1, description: 'Name of the key. Required with FILES_STORAGE=s3' }),
    ),
    S3_SECRET_ACCESS_KEY: Type.Optional(
      Type.String({ minLength: 1, secret: true, description: 'The key itself. Required with FILES_STORAGE=s3' }),
    ),
    S3_FORCE_PATH_STYLE: Type.Boolean({
      default: false,
      description: "Name the bucket in the path of a URL, not in its host: what most servers beside Amazon's want",
    }),
    S3_ROOT_DIR: Type.Optional(
      Type.String({
        maxLength: 512,
        pattern: S3_FOLDERS,
        examples: ['registry/production'],
        description:
          'Folder inside of the bucket; nothing outside of it is ever written, listed, read or deleted. Default: none',
      }),
    ),
    S3_REDIRECT: Type.Boolean({
      default: true,
      description: 'Let clients fetch files from S3 itself, by a signed URL; false when they cannot reach it',
    }),
    S3_DOWNLOAD_URL_EXPIRY_SECONDS: Type.Integer({
      minimum: 1,
      maximum: 604_800,
      default: 900,
      description: 'How long such a URL is good for the start of a download',
    }),
    S3_CHECKSUMS: OneOf(['WHEN_REQUIRED', 'WHEN_SUPPORTED'], {
      default: 'WHEN_REQUIRED',
      description:
        'When the S3 client adds checksums of its own and checks those of answers; Amazon takes both, others may ' +
        'refuse more than what is required',
    }),
    ACCEL_REDIRECT_PREFIX: Type.Optional(
      Type.String({
        pattern: '^(/[A-Za-z0-9_-]+)+/$',
        examples: ['/internal-blobs/'],
        description:
          'Internal location of the nginx in front, which then sends downloads itself (X-Accel-Redirect); files ' +
          'on this machine only',
      }),
    ),
    MAX_UPLOAD_BYTES: Type.Integer({
      minimum: 1,
      default: 200 * GIB,
      description: 'Largest upload, in bytes (200 GiB)',
    }),
    MAX_UNPACKED_BYTES: Type.Integer({
      minimum: 1,
      default: 4 * GIB,
      description: 'Largest inflated size of an npm tarball, in bytes (4 GiB)',
    }),
    MAX_TAR_ENTRIES: Type.Integer({ minimum: 1, default: 200_000, description: 'Most entries of an npm tarball' }),
    CATEGORIES: List({
      default: ['processing', 'catalog', 'application', 'tileset', 'maplibre-style', 'other'],
      description: 'Categories of artefacts; "other" is always one of them',
    }),
    AUTH_MODE: OneOf(['local', 'simple-directory'], {
      default: 'local',
      description:
        'Where users come from: users and organisations of this registry, or the Data Fair identity service',
    }),
    DIRECTORY_URL: Type.Optional(
      Type.String({
        pattern: HTTP_URL,
        examples: ['https://example.org/simple-directory'],
        description: 'Where users sign in. Required with AUTH_MODE=simple-directory',
      }),
    ),
    PRIVATE_DIRECTORY_URL: Type.Optional(
      Type.String({
        pattern: HTTP_URL,
        examples: ['http://simple-directory:8080'],
        description: 'Where Berth itself reaches the identity service. Default: DIRECTORY_URL',
      }),
    ),
    OIDC_ISSUER: Type.Optional(
      Type.String({
        pattern: HTTP_URL,
        examples: ['https://login.example.org/realms/acme'],
        description:
          'OpenID provider through which users sign in as well; its configuration is at ' +
          '/.well-known/openid-configuration below',
      }),
    ),
    OIDC_CLIENT_ID: Type.Optional(
      Type.String({ minLength: 1, description: 'What the provider calls Berth. Required with OIDC_ISSUER' }),
    ),
    OIDC_CLIENT_SECRET: Type.Optional(
      Type.String({ minLength: 1, secret: true, description: 'Its secret there. Required with OIDC_ISSUER' }),
    ),
    OIDC_NAME: Type.String({
      minLength: 1,
      maxLength: 100,
      default: 'single sign-on',
      description: 'What the sign-in page calls the provider',
    }),
    OIDC_SCOPES: List({ default: ['openid', 'profile', 'email'], description: 'Scopes that are asked for' }),
    OIDC_ORGANIZATIONS_CLAIM: Type.Optional(
      Type.String({
        minLength: 1,
        examples: ['organizations'],
        description:
          'Claim that lists the organisations of a user, as acme, acme:admin or { id, name, role }; their ' +
          'memberships are then exactly these',
      }),
    ),
    OIDC_ADMIN_CLAIM: Type.Optional(
      Type.String({ minLength: 1, examples: ['groups'], description: 'Claim that makes a user a superadmin' }),
    ),
    OIDC_ADMIN_VALUE: Type.Optional(
      Type.String({
        minLength: 1,
        examples: ['berth-admins'],
        description: 'What that claim must be, or hold. Default: true',
      }),
    ),
    ADMIN_EMAIL: Type.String({
      minLength: 3,
      default: 'admin@localhost',
      description: 'E-mail address of the superadmin who is created at the first start',
    }),
    ADMIN_PASSWORD: Type.Optional(
      Type.String({
        minLength: 8,
        maxLength: 128,
        secret: true,
        description: 'Password of that superadmin. Default: generated and printed once',
      }),
    ),
    SECRET_INTERNAL_SERVICES: Secret(
      'Secret that internal services send as x-secret-key; empty: internal access is off. Generated when embedded',
      0,
    ),
    API_KEYS_SALT: Secret('Key of the HMAC under which API keys are stored. Generated when embedded'),
    CIPHER_PASSWORD: Secret('Encrypts the keys of remote registries. Generated when embedded'),
    AUTH_SECRET: Secret('Signs session cookies. Generated when embedded'),
    SMTP_URL: Type.Optional(
      Type.String({
        pattern: '^smtps?://',
        examples: ['smtps://berth:password@mail.example.org'],
        secret: true,
        description:
          'Mail server: links to set passwords, invitations and notices are mailed. Default: none, and links are ' +
          'handed out by superadmins',
      }),
    ),
    MAIL_FROM: Type.Optional(
      Type.String({
        pattern: '^[^\\r\\n]*@[^\\r\\n]+$',
        examples: ['Berth <berth@example.org>'],
        description: 'Sender of mails. Default: berth@ and the host of PUBLIC_URL',
      }),
    ),
    KEY_EXPIRY_NOTICE_DAYS: Type.Integer({
      minimum: 1,
      maximum: 365,
      default: 14,
      description: 'How long before its end an API key is announced, by mail or to the webhook',
    }),
    KEY_EXPIRY_WEBHOOK_URL: Type.Optional(
      Type.String({
        pattern: '^https?://[^/?#@]+(/.*)?$',
        examples: ['https://chat.example.org/hooks/berth'],
        secret: true,
        description: 'Gets a POST with { event, registry, key } for each API key that ends soon',
      }),
    ),
    NOTICE_EMAILS: Type.Optional(
      Type.Array(Type.String({ pattern: '^[^\\s@]+@[^\\s@]+$' }), {
        minItems: 1,
        examples: ['ops@example.org'],
        description: 'Whom notices are mailed to. Default: the superadmins of this registry',
      }),
    ),
    FRAME_ANCESTORS: Type.String({
      minLength: 1,
      default: "'self'",
      description: 'Who may embed the web interface (Content-Security-Policy frame-ancestors)',
    }),
    AUDIT_RETENTION_DAYS: Type.Integer({
      minimum: 1,
      maximum: 36_500,
      default: 365,
      description: 'How long events of the audit log are kept',
    }),
    GC_GRACE_HOURS: Type.Integer({
      minimum: 0,
      maximum: 8760,
      default: 24,
      description: 'How long stored bytes must have been wanted by nobody before they are swept',
    }),
    REMOTE_TIMEOUT_SECONDS: Type.Integer({
      minimum: 1,
      maximum: 3600,
      default: 30,
      description:
        'Time for a remote registry to accept a connection, to send the head of its answer, and for each 16 KiB ' +
        'of the body',
    }),
    HTTP_PROXY: Type.Optional(
      Type.String({
        pattern: '^https?://',
        examples: ['http://proxy.example.org:3128'],
        secret: true,
        description:
          'Proxy for requests to other servers over http: remote registries, identity services, OpenID ' +
          'providers, webhooks. S3, mail and databases are reached directly',
      }),
    ),
    HTTPS_PROXY: Type.Optional(
      Type.String({
        pattern: '^https?://',
        examples: ['http://proxy.example.org:3128'],
        secret: true,
        description: 'The same over https. Default: HTTP_PROXY',
      }),
    ),
    NO_PROXY: Type.Optional(
      Type.String({
        minLength: 1,
        examples: ['.example.org,10.0.0.7:8080'],
        description:
          'Hosts that are reached without a proxy: names, domains with a leading dot, addresses, each with a ' +
          'port or without; * for all',
      }),
    ),
    NODE_EXTRA_CA_CERTS: Type.Optional(
      Type.String({
        minLength: 1,
        examples: ['/etc/berth/ca.pem'],
        description:
          'PEM file of certificate authorities that are trusted beside the well-known ones, for every connection ' +
          'to other servers. Node reads it, so it belongs into the environment of the process',
      }),
    ),
    SHUTDOWN_GRACE_SECONDS: Type.Integer({
      minimum: 0,
      maximum: 3600,
      default: 30,
      description: 'How long requests in flight may go on after SIGTERM',
    }),
    LOG_LEVEL: OneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      default: 'info',
      description: 'Least severe log line that is written',
    }),
    METRICS: Type.Boolean({
      default: true,
      description: 'Serve Prometheus metrics on /metrics, never through the public proxy',
    }),
    METRICS_PORT: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: 'Serve /metrics on a port of its own instead' }),
    ),
  },
  { additionalProperties: false },
);

/** Set by many systems in lower case. */
const PROXY_NAMES = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']);
const REQUIRED_FOR_OIDC = ['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET'] as const;
const REQUIRED_FOR_S3 = ['S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const;

type Settings = Static<typeof ConfigSchema>;
export type Config = Settings & { PUBLIC_URL: string };

/** A setting that stops the start; its message names the variable, what it holds and what it may hold. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration; the environment wins over the file.
 * @param env `process.env`; `BERTH_CONFIG` names a JSON or YAML file of the same names
 * @throws ConfigError
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const file = env['BERTH_CONFIG'] ? readConfigFile(env['BERTH_CONFIG']) : {};
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const raw = env[name] ?? (PROXY_NAMES.has(name) ? env[name.toLowerCase()] : undefined) ?? file[name];
    const value =
      raw === undefined || raw === null || (raw === '' && !isSecret(schema))
        ? defaultOf(schema)
        : fromText(schema, raw);
    if (value === undefined) continue;
    if (!Value.Check(schema, value))
      throw new ConfigError(`${name} ${shown(schema, raw)}, but it must be ${expectation(schema)}.`);
    values[name] = value;
  }
  const settings = values as Settings;
  assertComplete(settings);
  return {
    ...settings,
    CATEGORIES: [...new Set([...settings.CATEGORIES, 'other'])],
    ...(settings.S3_ROOT_DIR !== undefined && { S3_ROOT_DIR: settings.S3_ROOT_DIR.replace(/^\/|\/$/g, '') }),
    PUBLIC_URL: (settings.PUBLIC_URL ?? `http://localhost:${settings.PORT}`).replace(/\/+$/, ''),
  };
}

/** Path of the embedded database, or the URL of the PostgreSQL one. */
export function databaseUrl(config: Config): string {
  return config.DATABASE_URL ?? join(config.DATA_DIR, 'berth.db');
}

/** The outbound proxies. */
export function proxiesOf({ HTTP_PROXY, HTTPS_PROXY, NO_PROXY }: Config): {
  HTTP_PROXY?: string | undefined;
  HTTPS_PROXY?: string | undefined;
  NO_PROXY?: string | undefined;
} {
  return { HTTP_PROXY, HTTPS_PROXY, NO_PROXY };
}

/** Where users come from when they are not this registry's own. */
export function directoryOf({
  AUTH_MODE,
  DIRECTORY_URL = '',
  PRIVATE_DIRECTORY_URL = DIRECTORY_URL,
}: Config): { url: string; privateUrl: string } | undefined {
  const trim = (url: string) => url.replace(/\/+$/, '');
  return AUTH_MODE === 'simple-directory'
    ? { url: trim(DIRECTORY_URL), privateUrl: trim(PRIVATE_DIRECTORY_URL) }
    : undefined;
}

/** The OpenID provider through which users of this registry sign in as well. */
export function oidcOf(config: Config) {
  const {
    OIDC_ISSUER,
    OIDC_CLIENT_ID = '',
    OIDC_CLIENT_SECRET = '',
    OIDC_NAME,
    OIDC_SCOPES,
    OIDC_ORGANIZATIONS_CLAIM,
    OIDC_ADMIN_CLAIM,
    OIDC_ADMIN_VALUE,
  } = config;
  return OIDC_ISSUER === undefined
    ? undefined
    : {
        name: OIDC_NAME,
        issuer: OIDC_ISSUER.replace(/\/+$/, ''),
        clientId: OIDC_CLIENT_ID,
        clientSecret: OIDC_CLIENT_SECRET,
        scopes: OIDC_SCOPES,
        claims: { organizations: OIDC_ORGANIZATIONS_CLAIM, admin: OIDC_ADMIN_CLAIM, adminValue: OIDC_ADMIN_VALUE },
      };
}

/** The mail server, where there is one. */
export function mailOf({ SMTP_URL, MAIL_FROM, PUBLIC_URL }: Config): { url: string; from: string } | undefined {
  return SMTP_URL === undefined
    ? undefined
    : { url: SMTP_URL, from: MAIL_FROM ?? `berth@${new URL(PUBLIC_URL).hostname}` };
}

/** Lists every setting for docs/reference/configuration.md. */
export function configReference(): { name: string; default: string; description: string }[] {
  return Object.entries(ConfigSchema.properties).map(([name, schema]) => {
    const value = defaultOf(schema);
    return {
      name,
      default: Array.isArray(value) ? value.join(',') : `${(value as string | number | boolean | undefined) ?? ''}`,
      description: describe(schema),
    };
  });
}

/** Refuses what needs other settings that have no default. */
function assertComplete(settings: Settings): void {
  const withoutIssuer = (
    ['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_ORGANIZATIONS_CLAIM', 'OIDC_ADMIN_CLAIM'] as const
  ).find((name) => settings[name] !== undefined);
  if (settings.OIDC_ISSUER === undefined && withoutIssuer !== undefined)
    throw new ConfigError(`${withoutIssuer} is set, which needs OIDC_ISSUER too: not set so far.`);
  if (settings.OIDC_ISSUER !== undefined) {
    if (settings.AUTH_MODE !== 'local')
      throw new ConfigError(
        `OIDC_ISSUER is set, but AUTH_MODE holds "${settings.AUTH_MODE}": an OpenID provider goes with ` +
          'AUTH_MODE=local alone.',
      );
    const missing = REQUIRED_FOR_OIDC.filter((name) => settings[name] === undefined);
    if (missing.length > 0)
      throw new ConfigError(`OIDC_ISSUER is set, which needs ${missing.join(', ')} too: not set so far.`);
  }
  if (settings.AUTH_MODE === 'simple-directory' && settings.DIRECTORY_URL === undefined)
    throw new ConfigError('AUTH_MODE holds "simple-directory", which needs DIRECTORY_URL too: not set so far.');
  if (settings.NODE_EXTRA_CA_CERTS !== undefined && !existsSync(settings.NODE_EXTRA_CA_CERTS))
    throw new ConfigError(`NODE_EXTRA_CA_CERTS holds ${settings.NODE_EXTRA_CA_CERTS}, where there is no file.`);
  if (settings.FILES_STORAGE !== 's3') return;
  const missing = REQUIRED_FOR_S3.filter((name) => settings[name] === undefined);
  if (missing.length > 0)
    throw new ConfigError(`FILES_STORAGE holds "s3", which needs ${missing.join(', ')} too: not set so far.`);
}

function readConfigFile(path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(path, 'utf8')); // JSON is YAML
  } catch (error) {
    throw new ConfigError(`BERTH_CONFIG holds ${path}, which cannot be read as JSON or YAML: ${reasonOf(error)}.`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError(`BERTH_CONFIG holds ${path}, whose content must be an object of settings.`);
  for (const name of Object.keys(parsed)) {
    if (!(name in ConfigSchema.properties))
      throw new ConfigError(
        `BERTH_CONFIG (${path}) has the unknown setting ${name}; known ` +
          `are ${Object.keys(ConfigSchema.properties).join(', ')}.`,
      );
  }
  return parsed as Record<string, unknown>;
}

/** The first line alone: a YAML error goes on with the lines around it, which may hold secrets. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]?.replace(/:$/, '') ?? '';
}

interface Keywords {
  type?: string;
  enum?: string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  examples?: string[];
  default?: unknown;
  description?: string;
  secret?: boolean;
}
const keywords = (schema: TSchema) => schema as Keywords;
const isSecret = (schema: TSchema) => keywords(schema).secret === true;
const defaultOf = (schema: TSchema) => keywords(schema).default;

function fromText(schema: TSchema, raw: unknown): unknown {
  if (typeof raw !== 'string') return raw;
  switch (keywords(schema).type) {
    case 'integer':
      return /^\d+$/.test(raw) ? Number(raw) : raw;
    case 'boolean':
      return /^(true|1|on|yes)$/i.test(raw) ? true : /^(false|0|off|no)$/i.test(raw) ? false : raw;
    case 'array':
      return raw
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '');
    default:
      return raw;
  }
}

function shown(schema: TSchema, raw: unknown): string {
  if (isSecret(schema))
    return typeof raw === 'string'
      ? `holds a value of ${raw.length} characters (not shown)`
      : 'holds a value of the wrong type';
  return `holds ${JSON.stringify(raw)}`;
}

function expectation(schema: TSchema): string {
  const { type, enum: values, minimum, maximum, minLength, maxLength, pattern, examples } = keywords(schema);
  if (values) return `one of ${values.join(', ')}`;
  if (type === 'integer')
    return `a whole number${minimum === undefined ? '' : ` from ${minimum}`}${maximum === undefined ? '' : ` to ${maximum}`}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'array') return 'a comma-separated list with at least one item';
  if (pattern) return `text like ${examples?.[0] ?? pattern}`;
  return `text of at least ${minLength ?? 0}${maxLength === undefined ? '' : ` and at most ${maxLength}`} characters`;
}

function describe(schema: TSchema): string {
  return keywords(schema).enum
    ? `${keywords(schema).description ?? ''} (${expectation(schema)})`
    : (keywords(schema).description ?? '');
}
