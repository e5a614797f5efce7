// Form fields that carry JSON.

import { Value } from 'typebox/value';
import type { LocalisedText } from './artefact.ts';
import { FieldInvalidError } from './errors.ts';
import { LocalisedTextSchema } from './schemas.ts';

/**
 * Parses a text in two languages from a form field, such as `{"fr":"Import GeoPackage","en":"GeoPackage import"}`.
 * @throws field_invalid
 */
export function parseLocalisedField(name: string, text: string | undefined): LocalisedText | undefined {
  if (text === undefined || text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (Value.Check(LocalisedTextSchema, value)) return value;
  throw new FieldInvalidError(
    `The field ${name} must be JSON such as {"fr":"…","en":"…"}, with at most 2,000 characters each.`,
    { errors: [{ path: `/${name}`, message: 'is not a text in fr and en' }] },
  );
}
