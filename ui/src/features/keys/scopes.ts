/** Scopes of an upload key as form values; an empty value is no restriction. */
export interface Scopes {
  allowedName: string;
  allowedNamePrefix: string;
  allowedPackageName: string;
  allowedCategory: string | null;
}

export const emptyScopes = (): Scopes => ({
  allowedName: '',
  allowedNamePrefix: '',
  allowedPackageName: '',
  allowedCategory: null,
});

/** Returns a name that a prefix covers unexpectedly, since it ends within a word; undefined for other prefixes. */
export function longerName(prefix: string): string | undefined {
  const [end] = /[\p{L}\p{N}]$/u.exec(prefix.trim()) ?? [];
  return end && `${prefix.trim()}${/\p{N}/u.test(end) ? '0' : 's'}`;
}

/** Returns the trimmed fields of a form, without the empty ones, as the API expects them. */
export function nonEmptyFields<Form extends object>(form: Form): Partial<Record<keyof Form, string>> {
  return Object.fromEntries(
    Object.entries(form)
      .map(([field, value]) => [field, typeof value === 'string' ? value.trim() : undefined] as const)
      .filter(([, value]) => value),
  ) as Partial<Record<keyof Form, string>>;
}

/** Describes the scopes that are set, each with its name; undefined without any. */
export function scopesText(
  scopes: { [Scope in keyof Scopes]?: string | undefined },
  t: (key: string) => string,
): string | undefined {
  const named = [
    [t('admin.scopeId'), scopes.allowedName],
    [t('admin.scopePrefix'), scopes.allowedNamePrefix],
    [t('admin.scopePackage'), scopes.allowedPackageName],
    [t('admin.scopeCategory'), scopes.allowedCategory],
  ];
  return (
    named
      .filter(([, value]) => value)
      .map((pair) => pair.join(': '))
      .join(', ') || undefined
  );
}
