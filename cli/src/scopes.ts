// Scopes of an upload key or a trusted publisher: as command-line options, as fields of the API, and as text.

import { escapeValue, warn } from './terminal.ts';

const FIELDS = {
  artefact: 'allowedName',
  prefix: 'allowedNamePrefix',
  package: 'allowedPackageName',
  category: 'allowedCategory',
} as const;
type Scope = keyof typeof FIELDS;

export const SCOPE_OPTIONS = {
  artefact: { type: 'string' },
  prefix: { type: 'string' },
  package: { type: 'string' },
  category: { type: 'string' },
} as const satisfies Record<Scope, object>;
export const SCOPE_TEXTS: Record<Scope, string> = {
  artefact: 'only uploads to this artefact',
  prefix: 'only artefacts whose ID has this prefix',
  package: 'only this npm package',
  category: 'only this category',
};

/** Maps the given scopes to fields of the API. */
export function scopeFields(values: Partial<Record<Scope, string | undefined>>): Record<string, string> {
  return Object.fromEntries(definedScopes((scope) => values[scope]).map(([scope, value]) => [FIELDS[scope], value]));
}

/** Formats scopes, such as `prefix @acme/, category processing`. */
export function formatScopes(fields: Readonly<Record<string, unknown>>): string {
  return (
    definedScopes((scope) => fields[FIELDS[scope]])
      .map((words) => words.join(' '))
      .join(', ') || 'any upload'
  );
}

/** Prints what the registry found to check about new scopes to standard error. */
export function printWarnings(name: string, { warnings = [] }: { warnings?: string[] }): void {
  for (const warning of warnings) warn(name, escapeValue(warning));
}

function definedScopes(valueOf: (scope: Scope) => unknown): [Scope, string][] {
  return (Object.keys(FIELDS) as Scope[]).flatMap((scope): [Scope, string][] => {
    const value = valueOf(scope);
    return typeof value === 'string' ? [[scope, value]] : [];
  });
}
