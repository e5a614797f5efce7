/** What limits an upload key, as a form has it; empty: no limit. */
export interface Scopes { allowedName: string; allowedNamePrefix: string; allowedPackageName: string; allowedCategory: string | null }
