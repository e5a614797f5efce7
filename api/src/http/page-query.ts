// Query parameters of lists that are read in pages.

import { Type } from 'typebox';

/** Largest page of every list; also the page without `size`, of lists that are usually short. */
export const MAX_PAGE_SIZE = 1000;

/** Marks the schema of a number that is brought into its range instead of being refused: see `clampNumber`. */
const CLAMPED = 'x-clamped';

/**
 * Returns the schemas of `skip` and `size`. Existing clients and scripts send values out of range and even texts: a
 * list answers them anyway.
 * @param defaultSize the page without `size`, which the service applies
 */
export function pageFields(defaultSize: number) {
  return {
    skip: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
        description: 'Items to skip at the start. Brought into its range; what is no number counts as absent',
        [CLAMPED]: true,
      }),
    ),
    size: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_PAGE_SIZE,
        default: defaultSize,
        description: 'Page size. Brought into its range; what is no number counts as absent',
        [CLAMPED]: true,
      }),
    ),
  };
}

/** Returns the value that a parameter has under its schema; undefined if it counts as absent. */
export function queryValue(schema: object | undefined, value: unknown): unknown {
  const given = [value].flat().filter((one) => one !== '');
  if (given.length > 1) return given;
  return schema && CLAMPED in schema ? clampNumber(schema, given[0]) : given[0];
}

/** Returns undefined for what is no number. */
function clampNumber(schema: object, value: unknown): number | undefined {
  const { minimum, maximum } = schema as { minimum: number; maximum: number };
  const number = typeof value === 'string' && value.trim() !== '' ? Math.trunc(Number(value)) : NaN;
  return Number.isNaN(number) ? undefined : Math.min(Math.max(number, minimum), maximum);
}
