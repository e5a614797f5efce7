// Text in and out of a setting's schema: parses environment values, describes values and expectations in messages.

import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';

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
  /** Messages never show the value, and it can be given in a file. */
  secret?: boolean;
  /** A further check of the text, or of each text of a list. */
  accepts?: (text: string) => boolean;
  /** Completes "it must be …", where the other keywords say too little. */
  expected?: string;
}
const keywords = (schema: TSchema) => schema as Keywords;

/** A secret's name with this suffix is the path of a file that contains it. */
export const SECRET_FILE_SUFFIX = '_FILE';
/** A longer value is cut in messages. */
const MAX_SHOWN_LENGTH = 200;

export const isSecret = (schema: TSchema) => keywords(schema).secret === true;
export const isList = (schema: TSchema) => keywords(schema).type === 'array';
export const defaultOf = (schema: TSchema) => keywords(schema).default;

/** Converts a text to the schema's type. Returns it unchanged if that fails, for validation to reject. */
export function parseText(schema: TSchema, raw: unknown): unknown {
  if (isList(schema) && Array.isArray(raw)) return raw.filter((item) => item !== '');
  if (typeof raw !== 'string') return raw;
  switch (keywords(schema).type) {
    case 'integer':
      return /^\d+$/.test(raw) ? Number(raw) : raw;
    case 'boolean':
      return /^(true|1|on|yes)$/i.test(raw) ? true : /^(false|0|off|no)$/i.test(raw) ? false : raw;
    default:
      return raw;
  }
}

/** Whether a value satisfies the schema, including its `accepts`. */
export function isValid(schema: TSchema, value: unknown): boolean {
  const { accepts } = keywords(schema);
  return Value.Check(schema, value) && (!accepts || [value].flat().every((text) => accepts(text as string)));
}

/** Describes an invalid value: `is "abc"`. Only the length of a secret is shown. */
export function describeValue(schema: TSchema, raw: unknown): string {
  if (isSecret(schema))
    return typeof raw === 'string' ? `has a value of ${raw.length} characters (not shown)` : 'has the wrong type';
  const text = toJson(isList(schema) && isTextList(raw) ? raw.join(',') : raw);
  if (text === undefined) return 'has the wrong type';
  const isLong = text.length > MAX_SHOWN_LENGTH;
  return isLong ? `is ${text.slice(0, MAX_SHOWN_LENGTH)}… (${text.length} characters)` : `is ${text}`;
}

function isTextList(raw: unknown): raw is string[] {
  return Array.isArray(raw) && raw.every((item) => typeof item === 'string');
}

/** Undefined for a value that JSON cannot express, such as a YAML alias that contains itself. */
function toJson(raw: unknown): string | undefined {
  try {
    return JSON.stringify(raw);
  } catch {
    return undefined;
  }
}

/** Describes valid values: `an integer from 0 to 65535`. */
export function describeExpected(schema: TSchema): string {
  const { type, enum: values, minimum, maximum, minLength, maxLength, pattern, examples, expected } = keywords(schema);
  if (expected !== undefined) return expected;
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
