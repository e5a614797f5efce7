// What a key, or a pipeline in place of one, may upload: as options of a command, as fields on the wire, and for
// people.

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
  artefact: 'the one artefact that it may upload to',
  prefix: 'what the ids of artefacts must start with',
  package: 'the one npm package',
  category: 'the one category',
};

/** The fields of the scopes that are given. */
export function scopeFields(values: Partial<Record<Scope, string | undefined>>): Record<string, string> {
  return Object.fromEntries(scopesIn((scope) => values[scope]).map(([scope, value]) => [FIELDS[scope], value]));
}

/** Such as `prefix @acme/, category processing`. */
export function formatScopes(fields: Readonly<Record<string, unknown>>): string {
  return (
    scopesIn((scope) => fields[FIELDS[scope]])
      .map((words) => words.join(' '))
      .join(', ') || 'upload anything'
  );
}

function scopesIn(valueOf: (scope: Scope) => unknown): [Scope, string][] {
  return (Object.keys(FIELDS) as Scope[]).flatMap((scope): [Scope, string][] => {
    const value = valueOf(scope);
    return typeof value === 'string' ? [[scope, value]] : [];
  });
}
