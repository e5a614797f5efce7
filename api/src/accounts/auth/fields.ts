// The body of a call: better-auth gets only the fields that calls.ts documents, in their normal form.

import { normalizeEmail } from '../operations.ts';
import type { AuthCall } from './calls.ts';

/** Fields of a body, of the types that the call documents. */
export type AuthFields = Readonly<Record<string, unknown>>;

const NORMAL_FORMS: Record<string, (value: string) => string> = {
  email: normalizeEmail,
  // Authenticator apps show codes in groups.
  code: (code) => code.replace(/\s/g, ''),
};

/** Returns the fields of a valid body that a call documents; undefined without a body. */
export function readFields({ body: schema }: AuthCall, body: unknown): AuthFields | undefined {
  if (!schema || typeof body !== 'object' || body === null) return undefined;
  const given = new Map<string, unknown>(Object.entries(body));
  const fields = Object.keys(schema.properties).filter((name) => given.get(name) !== undefined);
  return Object.fromEntries(fields.map((name) => [name, normalForm(name, given.get(name))]));
}

/** Returns a text field; empty if it is missing. */
export function textOf(fields: AuthFields | undefined, name: string): string {
  const value = fields?.[name];
  return typeof value === 'string' ? value : '';
}

function normalForm(name: string, value: unknown): unknown {
  return typeof value === 'string' ? (NORMAL_FORMS[name]?.(value) ?? value) : value;
}
