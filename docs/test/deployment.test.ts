import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { configReference } from '../../api/src/config/index.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const guide = read('docs/guides/deployment.md');

describe('the deployment guide', () => {
  test('names only existing settings', () => {
    const [, section = ''] = /^## Settings$(.*?)^## /ms.exec(guide) ?? [];
    const named = [...section.matchAll(/`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=\w+)?`/g)].map(([, name = '']) => name);
    // Secrets can also be named as files.
    const known = new Set(configReference().flatMap(({ name }) => [name, `${name}_FILE`]));
    assert.ok(named.length > 10);
    assert.deepEqual(
      named.filter((name) => !known.has(name)),
      [],
    );
  });
});
