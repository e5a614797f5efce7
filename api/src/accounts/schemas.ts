import { Type, type TSchema } from 'typebox';

/** Items of a page when the request names no size, and the most that it gets. */
export const DEFAULT_PAGE_SIZE = 10;
export const MAX_PAGE_SIZE = 1000;

const MAX_QUERY_LENGTH = 200;
const MAX_NAME_LENGTH = 200;
/** RFC 5321, 4.5.3.1.3: a path of 256 characters, its angle brackets included. */
export const MAX_EMAIL_LENGTH = 254;
/** better-auth's own bounds; it refuses longer ones at sign-in. */
export const MIN_PASSWORD_LENGTH = 8;
export const MAX_PASSWORD_LENGTH = 128;

export const PageQuerySchema = Type.Object(
  {
    q: Type.Optional(Type.String({ maxLength: MAX_QUERY_LENGTH, description: 'Words, in any order and case' })),
    skip: Type.Optional(
      Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Items to leave out at the start' }),
    ),
    size: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: `Most items to return: ${DEFAULT_PAGE_SIZE} by default, at most ${MAX_PAGE_SIZE}`,
      }),
    ),
  },
  { additionalProperties: false },
);

/** What a list is asked for. */
export interface PageQuery {
  q?: string;
  skip?: number;
  size?: number;
}

/** One page, and how many there are in all. */
export interface Page<T> {
  results: T[];
  count: number;
}

export const PageSchema = <Item extends TSchema>(item: Item) =>
  Type.Object({ results: Type.Array(item), count: Type.Integer({ description: 'How many there are in all' }) });

/** One line, not blank; PostgreSQL stores no NUL. */
export const NameSchema = Type.String({
  maxLength: MAX_NAME_LENGTH,
  pattern: '^(?!\\s*$)[^\\u0000-\\u001f\\u007f]*$',
});

/** What better-auth takes at sign-in, and beyond it domains without a dot such as `localhost`. */
export const EmailSchema = Type.String({
  maxLength: MAX_EMAIL_LENGTH,
  pattern:
    "^([A-Za-z0-9_'+-]+\\.)*[A-Za-z0-9_'+-]*[A-Za-z0-9_+-]@(([A-Za-z0-9][A-Za-z0-9-]*\\.)+[A-Za-z]{2,}|[A-Za-z0-9][A-Za-z0-9-]*)$",
  description: 'E-mail address; upper and lower case are the same',
});

export const PasswordSchema = Type.String({ minLength: MIN_PASSWORD_LENGTH, maxLength: MAX_PASSWORD_LENGTH });

/** Chosen by the superadmin, since it is what stands on artefacts and keys: `acme`. */
export const OrganizationIdSchema = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' });
export const DepartmentIdSchema = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' });
export const OrganizationRoleSchema = Type.Union([Type.Literal('admin'), Type.Literal('member')]);
