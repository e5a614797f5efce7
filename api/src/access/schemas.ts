import { Type } from 'typebox';

export const MAX_ACCOUNT_FIELD_LENGTH = 256;
/** No control characters: PostgreSQL cannot store NUL in text. */
export const ACCOUNT_FIELD_PATTERN = '^[^\\u0000-\\u001f\\u007f]*$';

const text = { maxLength: MAX_ACCOUNT_FIELD_LENGTH, pattern: ACCOUNT_FIELD_PATTERN };

/** The account on the wire: `{ type, id, name?, department? }`. */
export const AccountSchema = Type.Object(
  {
    type: Type.Union([Type.Literal('user'), Type.Literal('organization')]),
    id: Type.String({ minLength: 1, ...text }),
    name: Type.Optional(Type.String(text)),
    department: Type.Optional(Type.String({ minLength: 1, ...text })),
  },
  {
    additionalProperties: false,
    title: 'Account',
    description: 'A user, an organisation, or one department of an organisation',
  },
);
