import { Type } from 'typebox';

const MAX_ACCOUNT_FIELD_LENGTH = 256;

/** The account on the wire: `{ type, id, name?, department? }`. */
export const AccountSchema = Type.Object({
  type: Type.Union([Type.Literal('user'), Type.Literal('organization')]),
  id: Type.String({ minLength: 1, maxLength: MAX_ACCOUNT_FIELD_LENGTH }),
  name: Type.Optional(Type.String({ maxLength: MAX_ACCOUNT_FIELD_LENGTH })),
  department: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_ACCOUNT_FIELD_LENGTH })),
}, { additionalProperties: false, title: 'Account', description: 'A user alone, or an organisation, possibly one of its departments' });
