// Schemas shared by the settings files.

import { Type } from 'typebox';
import { isUrl } from './formats.ts';

const MIN_SECRET_LENGTH = 32;
const HTTP_URL = '^https?://[^/?#@]+(/[^?#]*)?$';

/** An optional HTTP URL, without credentials, query and fragment. */
export const HttpUrl = (rest: { examples: [string]; description: string }) =>
  Type.Optional(Type.String({ pattern: HTTP_URL, accepts: isUrl, ...rest }));

/** An optional text that error messages never show. */
export const Secret = (description: string) =>
  Type.Optional(Type.String({ minLength: MIN_SECRET_LENGTH, secret: true, description }));

/** One of the given texts. */
export const OneOf = <const Values extends string[]>(
  values: Values,
  rest: { default: Values[number]; description: string },
) => Type.Unsafe<Values[number]>({ type: 'string', enum: values, ...rest });

/** A list of at least one text; comma-separated in the environment. */
export const List = (rest: {
  default: string[];
  description: string;
  accepts?: (item: string) => boolean;
  expected?: string;
}) => Type.Array(Type.String({ minLength: 1 }), { minItems: 1, ...rest });
