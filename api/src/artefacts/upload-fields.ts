// Parses form fields that contain JSON.

import { Value } from 'typebox/value';
import { quote } from '../errors.ts';
import type { LocalisedText } from './artefact.ts';
import { FieldInvalidError } from './errors.ts';
import { LocalisedTextSchema } from './schemas.ts';

/**
 * Parses a localised text from a form field, such as `{"fr":"Import GeoPackage","en":"GeoPackage import"}`.
 * @throws field_invalid
 */
export function parseLocalisedField(name: string, text: string | undefined): LocalisedText | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (Value.Check(LocalisedTextSchema, value)) return value;
  throw new FieldInvalidError(
    `The field ${name} is ${quote(text)}, but it must be JSON such as {"fr":"…","en":"…"}, with at most ` +
      '2,000 characters per language.',
    { errors: [{ path: `/${name}`, message: 'must be an object of texts in fr and en' }] },
  );
}
