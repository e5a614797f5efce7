import { Type, type TSchema } from 'typebox';
import { pageFields } from '../http/index.ts';

export const DEFAULT_PAGE_SIZE = 10;

const MAX_QUERY_LENGTH = 200;
export const MAX_NAME_LENGTH = 200;
/** RFC 5321, section 4.5.3.1.3: a path has 256 characters, including its angle brackets. */
export const MAX_EMAIL_LENGTH = 254;
/** better-auth's limits; it refuses other lengths at sign-in. */
export const MIN_PASSWORD_LENGTH = 8;
export const MAX_PASSWORD_LENGTH = 128;

export const PageQuerySchema = Type.Object(
  {
    q: Type.Optional(Type.String({ maxLength: MAX_QUERY_LENGTH, description: 'Search words, in any order and case' })),
    ...pageFields(DEFAULT_PAGE_SIZE),
  },
  { additionalProperties: false },
);

/** Query of a list. */
export interface PageQuery {
  q?: string;
  skip?: number;
  size?: number;
}

/** One page of results; `count` is the total. */
export interface Page<T> {
  results: T[];
  count: number;
}

export const PageSchema = <Item extends TSchema>(item: Item) =>
  Type.Object({ results: Type.Array(item), count: Type.Integer({ description: 'Total number of matches' }) });

/** One line, not blank, without control characters: PostgreSQL cannot store NUL. */
export const NameSchema = Type.String({
  maxLength: MAX_NAME_LENGTH,
  pattern: '^(?!\\s*$)[^\\u0000-\\u001f\\u007f]*$',
});

const LOCAL_PART = "([A-Za-z0-9_'+-]+\\.)*[A-Za-z0-9_'+-]*[A-Za-z0-9_+-]";
const DOMAIN = '([A-Za-z0-9][A-Za-z0-9-]*\\.)+[A-Za-z]{2,}';
const DOTLESS_DOMAIN = '[A-Za-z0-9][A-Za-z0-9-]*';

/** Addresses that better-auth accepts at sign-in, and dotless domains such as `localhost`. */
export const EmailSchema = Type.String({
  maxLength: MAX_EMAIL_LENGTH,
  pattern: `^${LOCAL_PART}@(${DOMAIN}|${DOTLESS_DOMAIN})$`,
  description: 'E-mail address, case-insensitive',
});

export const PasswordSchema = Type.String({ minLength: MIN_PASSWORD_LENGTH, maxLength: MAX_PASSWORD_LENGTH });

/** Chosen by the superadmin, because artefacts and keys refer to it: `acme`. */
export const OrganizationIdSchema = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' });
export const DepartmentIdSchema = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' });
export const OrganizationRoleSchema = Type.Union([Type.Literal('admin'), Type.Literal('member')]);
