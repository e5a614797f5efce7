import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getMigrations } from 'better-auth/db/migration';
import { createAuth } from '../../src/accounts/auth/auth.ts';
import { createAuthCalls } from '../../src/accounts/auth/call-context.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';
import { SECRET } from './accounts-app.ts';

for (const dialect of DIALECTS) {
  test(`the migrations create every table, column and index that better-auth needs, on ${dialect}`, async (t) => {
    const { database, close } = await openTestDatabase(dialect);
    t.after(close);
    const auth = createAuth({
      database,
      publicUrl: 'http://localhost',
      secret: SECRET,
      passwords: FAST_PASSWORDS,
      signInsPerMinute: 20,
      calls: createAuthCalls(),
    });
    const { toBeCreated, toBeAdded, toBeAddedIndexes, unsafeChanges, schemaProblems } = await getMigrations(
      auth.options,
    );
    assert.deepEqual(
      { toBeCreated, toBeAdded, toBeAddedIndexes, unsafeChanges, schemaProblems },
      { toBeCreated: [], toBeAdded: [], toBeAddedIndexes: [], unsafeChanges: [], schemaProblems: [] },
    );
  });
}
