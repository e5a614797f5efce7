/** What limits an upload key, as a form has it; empty: no limit. */
export interface Scopes {
  allowedName: string;
  allowedNamePrefix: string;
  allowedPackageName: string;
  allowedCategory: string | null;
}

export const noScopes = (): Scopes => ({
  allowedName: '',
  allowedNamePrefix: '',
  allowedPackageName: '',
  allowedCategory: null,
});

/** A form as the API takes it: without what is empty. */
export function filledIn<Form extends object>(form: Form): Partial<Record<keyof Form, string>> {
  return Object.fromEntries(
    Object.entries(form)
      .map(([field, value]) => [field, typeof value === 'string' ? value.trim() : undefined] as const)
      .filter(([, value]) => value),
  ) as Partial<Record<keyof Form, string>>;
}

/** The scopes that are there, each with its name; undefined when there is none. */
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
