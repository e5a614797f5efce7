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

  test('alerts only on existing metrics', () => {
    const sources = read('api/src/http/metrics.ts') + read('api/src/app.ts') + read('api/index.ts');
    const [, section = ''] = /^## Monitoring$(.*?)^## /ms.exec(guide) ?? [];
    const named = [...section.matchAll(/`(berth_\w+?)(?:_count)?`/g)].map(([, name = '']) => name);
    assert.ok(named.length > 1);
    assert.deepEqual(
      named.filter((name) => !sources.includes(`'${name}'`)),
      [],
    );
  });

  test('names only existing error codes', () => {
    const [, section = ''] = /^## Troubleshooting$(.*)/ms.exec(guide) ?? [];
    const named = [...section.matchAll(/`(?:\d{3} )?([a-z]+(?:_[a-z]+)+)`/g)].map(([, name = '']) => name);
    const errors = read('docs/reference/errors.md');
    const nginxDirectives = ['client_max_body_size', 'proxy_request_buffering'];
    assert.ok(named.length > 3);
    assert.deepEqual(
      named.filter((name) => !errors.includes(`\`${name}\``) && !nginxDirectives.includes(name)),
      [],
    );
  });
});
