// Warnings of settings that are accepted, but probably meant otherwise: variables whose names are nearly those of
// settings, and settings that have no effect beside the others.

import { ConfigSchema, type Config } from './schema.ts';
import { isSecret, SECRET_FILE_SUFFIX } from './schema-text.ts';

/** Settings that have an effect only if another one has the value. */
const DEPENDENT = [
  {
    names: ['S3_ENDPOINT', 'S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'],
    on: 'FILES_STORAGE',
    value: 's3',
  },
  { names: ['ACCEL_REDIRECT_PREFIX'], on: 'FILES_STORAGE', value: 'fs' },
  { names: ['DIRECTORY_URL', 'PRIVATE_DIRECTORY_URL'], on: 'AUTH_MODE', value: 'simple-directory' },
] as const;
/** Other programs have variables of their own with names like HOSTS. */
const MIN_NAME_LENGTH = 7;
/** From this length on, a name may differ in two places. */
const LONG_NAME_LENGTH = 12;

/** @param env `process.env` */
export function configWarnings(env: NodeJS.ProcessEnv, config: Config): string[] {
  const misspelt = Object.keys(env).flatMap((name) => adviseOn(name) ?? []);
  const idle = DEPENDENT.flatMap(({ names, on, value }) => {
    const set = names.filter((name) => config[name] !== undefined);
    return set.length === 0 || config[on] === value
      ? []
      : [`${set.join(', ')} ${set.length === 1 ? 'has' : 'have'} no effect: ${on} is ${config[on]}, not ${value}`];
  });
  return [...misspelt, ...idle];
}

function adviseOn(variable: string): string | undefined {
  const names = Object.entries(ConfigSchema.properties).flatMap(([name, schema]) =>
    isSecret(schema) ? [name, name + SECRET_FILE_SUFFIX] : [name],
  );
  if (names.includes(variable)) return undefined;
  const base = variable.replace(/_FILE$/, '');
  if (names.includes(base)) return `${variable} is ignored: only secrets can be given in files; set ${base}`;
  const meant = names.find((name) => isNear(variable, name));
  return meant === undefined ? undefined : `${variable} is not a setting: did you mean ${meant}?`;
}

function isNear(variable: string, name: string): boolean {
  if (name.length < MIN_NAME_LENGTH) return false;
  const limit = name.length < LONG_NAME_LENGTH ? 1 : 2;
  return Math.abs(variable.length - name.length) <= limit && distance(variable.toUpperCase(), name) <= limit;
}

/** How many characters must be inserted, removed or replaced to turn one text into the other (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, character] of [...one].entries()) {
    const next = [index + 1];
    for (const [column, wanted] of [...other].entries())
      next.push(
        Math.min(
          (next[column] ?? 0) + 1,
          (row[column + 1] ?? 0) + 1,
          (row[column] ?? 0) + (character === wanted ? 0 : 1),
        ),
      );
    row = next;
  }
  return row.at(-1) ?? 0;
}
