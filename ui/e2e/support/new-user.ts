// Creates a user for one test and signs in over the API.

import { asAdmin, type Registry } from './registry.ts';
import { signIn, type Visitor } from './visitor.ts';

export const PASSWORD = 'second mate 2';

/** Creates a user with memberships, and signs the visitor in as that user. */
export async function signInAsNewUser(
  registry: Registry,
  visitor: Visitor,
  name: string,
  memberships: Record<string, 'admin' | 'member'> = {},
): Promise<{ id: string; email: string }> {
  const { language, width } = visitor.variant;
  const email = `${name}-${language}-${width}@example.org`;
  const { id } = await asAdmin<{ id: string }>(registry, 'POST', '/users', { email, name, password: PASSWORD });
  for (const [organization, role] of Object.entries(memberships))
    await asAdmin(registry, 'PUT', `/organizations/${organization}/members/${id}`, { role });
  await signIn(visitor.context, registry, email, PASSWORD);
  return { id, email };
}
