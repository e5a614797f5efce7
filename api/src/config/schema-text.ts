// Text in and out of a setting's schema: parses environment values, describes values and expectations in messages.

import type { TSchema } from 'typebox';

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

export const isSecret = (schema: TSchema) => keywords(schema).secret === true;
export const defaultOf = (schema: TSchema) => keywords(schema).default;

/** Converts a text to the schema's type. Returns it unchanged if that fails, for validation to reject. */
export function parseText(schema: TSchema, raw: unknown): unknown {
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

/** Describes an invalid value: `is "abc"`. Only the length of a secret is shown. */
export function describeValue(schema: TSchema, raw: unknown): string {
  if (isSecret(schema))
    return typeof raw === 'string' ? `has a value of ${raw.length} characters (not shown)` : 'has the wrong type';
  return `is ${JSON.stringify(raw)}`;
}

/** Describes valid values: `an integer from 0 to 65535`. */
export function describeExpected(schema: TSchema): string {
  const { type, enum: values, minimum, maximum, minLength, maxLength, pattern, examples } = keywords(schema);
  if (values) return `one of ${values.join(', ')}`;
  if (type === 'integer') {
    const from = minimum === undefined ? '' : ` from ${minimum}`;
    const to = maximum === undefined ? '' : ` to ${maximum}`;
    return `an integer${from}${to}`;
  }
  if (type === 'boolean') return 'true or false';
  if (type === 'array') return 'a comma-separated list with at least one item';
  if (pattern) return `of the form ${examples?.[0] ?? pattern}`;
  const upTo = maxLength === undefined ? '' : ` and at most ${maxLength}`;
  return `a text of at least ${minLength ?? 0}${upTo} characters`;
}

/** The description for the reference page, with the values of an enumeration. */
export function describeSetting(schema: TSchema): string {
  const { enum: values, description = '' } = keywords(schema);
  return values ? `${description} (${describeExpected(schema)})` : description;
}
