// Schemas shared by the settings files.

import { Type } from 'typebox';

export const HTTP_URL = '^https?://[^/?#@]+(/[^?#]*)?$';
const MIN_SECRET_LENGTH = 32;

/** An optional text that error messages never show. */
export const Secret = (description: string, minLength = MIN_SECRET_LENGTH) =>
  Type.Optional(Type.String({ minLength, secret: true, description }));

/** One of the given texts. */
export const OneOf = <const Values extends string[]>(
  values: Values,
  rest: { default: Values[number]; description: string },
) => Type.Unsafe<Values[number]>({ type: 'string', enum: values, ...rest });

/** A list of at least one text; comma-separated in the environment. */
export const List = (rest: { default: string[]; description: string }) =>
  Type.Array(Type.String({ minLength: 1 }), { minItems: 1, ...rest });
